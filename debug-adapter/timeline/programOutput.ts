/**
 * What the program has printed, as it was read: kept for each branch, so that
 * its recorded writes can be found in it (outputText.ts).
 *
 * Output is read before the stop that follows it is told, and branches change
 * only while the program stands still: so what is read belongs to the branch
 * that is the present one then.
 */
import type { Core } from '../core/core.js';
import { LineEnds, OutputText } from './outputText.js';

export class ProgramOutput {
  private readonly byBranch = new Map<number, readonly [OutputText, OutputText]>();
  private readonly ends: LineEnds | undefined;
  private core: Pick<Core, 'present' | 'outputDigest'> | undefined;

  /** @param inTerminal  both streams come as one, with a terminal's ends of lines */
  constructor(private readonly inTerminal: boolean) {
    this.ends = inTerminal ? new LineEnds() : undefined;
  }

  belongsTo(core: Pick<Core, 'present' | 'outputDigest'>): void {
    this.core = core;
  }

  read(stream: 'stdout' | 'stderr', bytes: Buffer): void {
    const [out, error] = this.of(this.core?.present().branch ?? 0);
    const written = this.ends ? this.ends.undo(bytes) : bytes;
    (stream === 'stderr' ? error : out).append(written);
  }

  /** Of descriptors 1 and 2. */
  of(branch: number): readonly [OutputText, OutputText] {
    let texts = this.byBranch.get(branch);
    if (!texts) {
      const digest = (bytes: Buffer) => this.core?.outputDigest(bytes) ?? '';
      const out = new OutputText(digest);
      texts = [out, this.inTerminal ? out : new OutputText(digest)];
      this.byBranch.set(branch, texts);
    }
    return texts;
  }

  /** Another program begins a recording of its own (exec): its branches are new ones. */
  forget(branch: number): void {
    this.byBranch.delete(branch);
  }
}
