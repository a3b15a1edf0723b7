/**
 * Makes lines of the debug console links to the moment at which they were
 * written, for a client that shows the location of an output's value.
 *
 *     output { "total 5\n", variablesReference: N }
 *       ◀── variables N          one value, with the same number as its location
 *       ◀── locations N          the line was clicked: go there, and say where that is
 *
 * Only for whole lines: such a client begins a new row for each of these, and a
 * line in pieces would be torn. Only so many in a second: each is asked about.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { ProgramOutput } from './programOutput.js';

/** Far above the numbers of variables, which begin at 1. */
const firstReference = 0x4000_0000;
const mostPerSecond = 100;
const mostKept = 50_000;

export interface OutputPlace {
  readonly branch: number;
  readonly stream: 'stdout' | 'stderr';
  /** In all that was read of the stream on that branch. */
  readonly offset: number;
}

export class OutputLinks {
  private readonly places = new Map<number, OutputPlace & { text: string }>();
  private next = firstReference;
  private readonly atLineStart = { stdout: true, stderr: true };
  private second = 0;
  private inSecond = 0;

  constructor(
    private readonly output: ProgramOutput,
    private readonly send: (body: DebugProtocol.OutputEvent['body']) => void,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /**
   * Output that was read, and has been handed to the ProgramOutput already.
   *
   * @param text  its characters, where those of several bytes have been put together
   */
  show(stream: 'stdout' | 'stderr', text: string, bytes: Buffer): void {
    if (text === '' && bytes.length === 0) return;
    const whole = bytes.lastIndexOf(0x0a) + 1;
    const begins = this.atLineStart[stream];
    this.atLineStart[stream] = bytes.length === whole;
    const lines = begins && whole > 0 ? linesOf(bytes.subarray(0, whole)) : [];
    if (lines.length === 0 || text !== bytes.toString('utf8') || !this.mayLink(lines.length))
      return this.send({ category: stream, output: text });
    const { branch, offset: begin } = this.output.beginOfLast(stream, bytes.length);
    let offset = begin;
    for (const line of lines) {
      const reference = this.keep({ branch, stream, offset, text: line.toString('utf8').trimEnd() });
      this.send({ category: stream, output: line.toString('utf8'), variablesReference: reference });
      offset += line.length;
    }
    if (whole < bytes.length) this.send({ category: stream, output: bytes.subarray(whole).toString('utf8') });
  }

  placeOf(reference: number): OutputPlace | undefined {
    return this.places.get(reference);
  }

  /** What stands for a line: one value whose location is the moment. undefined: the number is none of these. */
  variableOf(reference: number): DebugProtocol.Variable[] | undefined {
    if (reference < firstReference) return undefined;
    const value = this.places.get(reference)?.text;
    if (value === undefined) return [];
    return [{ name: '', value, variablesReference: 0, valueLocationReference: reference }];
  }

  private keep(place: OutputPlace & { text: string }): number {
    const reference = this.next++;
    this.places.set(reference, place);
    if (this.places.size > mostKept) this.places.delete(reference - mostKept);
    return reference;
  }

  private mayLink(lines: number): boolean {
    const second = Math.floor(this.clock() / 1000);
    if (second !== this.second) this.inSecond = 0;
    this.second = second;
    this.inSecond += lines;
    return this.inSecond <= mostPerSecond;
  }
}

function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf(0x0a, from) + 1;
    lines.push(bytes.subarray(from, end));
    from = end;
  }
  return lines;
}
