/**
 * The debuggee's standard input, output and error.
 *
 *     internalConsole      0 ◀── /dev/null or the stdin file
 *                          1 ──▶ pty (so that it writes line by line) ──▶ output events 'stdout'
 *                          2 ──▶ pipe ──▶ output events 'stderr'
 *     integratedTerminal   0 1 2 ◀─▶ pty, the controlling terminal ◀─▶ tty-holder in the user's terminal
 *
 * The debuggee never has the real terminal: a replay must not write to it, and
 * its settings must survive whatever the debuggee does.
 */
import { closeSync, constants, openSync } from 'node:fs';
import type { CoreModule } from '../core/core.js';
import { ChronoforkError } from '../errors.js';
import { DrainMark } from './drainMark.js';
import { OutputReader } from './outputReader.js';

export interface Console {
  /** Descriptors for the debuggee; `launched` closes our copies. */
  readonly stdio: [number, number, number];
  readonly controllingTerminal: boolean;
  launched(): void;
  /** Forwards what has been written so far. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** Of a program that was attached to: what it reads and writes is its own. */
export const noConsole: Pick<Console, 'drain' | 'close'> = {
  drain: async () => undefined,
  close: async () => undefined,
};

export function openInput(path: string | undefined): number {
  try {
    return openSync(path ?? '/dev/null', constants.O_RDONLY);
  } catch {
    throw new ChronoforkError(
      'stdinMissing',
      `The file for standard input, "${path}", cannot be opened.`,
      'Correct "stdin" in launch.json.',
    );
  }
}

/** Output as DAP events; no input but a file. */
export class InternalConsole implements Console {
  readonly stdio: [number, number, number];
  readonly controllingTerminal = false;
  private readonly readers: OutputReader[];
  private readonly mark: DrainMark;
  private closed = false;

  constructor(
    module: CoreModule,
    stdinPath: string | undefined,
    onOutput: (category: 'stdout' | 'stderr', text: string, bytes: Buffer) => void,
  ) {
    const input = openInput(stdinPath);
    const pty = module.openPty(true);
    const pipe = module.openPipe();
    this.stdio = [input, pty.slave, pipe.write];
    this.mark = new DrainMark(pty.path);
    const out: OutputReader = new OutputReader(pty.master, 'pty', (data) => {
      const written = this.mark.strip(data);
      onOutput('stdout', out.text(written), written);
    });
    const error: OutputReader = new OutputReader(pipe.read, 'pipe', (data) =>
      onOutput('stderr', error.text(data), data),
    );
    this.readers = [out, error];
  }

  launched(): void {
    for (const descriptor of this.stdio) closeSync(descriptor);
  }

  async drain(): Promise<void> {
    if (this.closed) return;
    await this.mark.passed();
    for (const reader of this.readers) await reader.drain();
  }

  async close(): Promise<void> {
    if (this.closed) return;
    await this.drain();
    this.closed = true;
    this.mark.close();
    for (const reader of this.readers) await reader.close();
  }
}
