/**
 * Finds out that all that was written to a pty has been read: by writing a mark
 * after it, and taking that out again where it comes.
 *
 * Easy to get wrong: the kernel carries bytes from a pty's slave to its master
 * later, by a worker thread. When the program stands still and the master has
 * nothing to read, there may still be something to come. Nothing can be asked
 * about it, but the order of bytes is kept.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, writeSync } from 'node:fs';

/** The worker comes within a millisecond; on a busy machine within tenths of a second. */
const within_ms = 1000;

export class DrainMark {
  private readonly mark = Buffer.from(`\x1b_${randomBytes(12).toString('hex')}\x1b\\`, 'latin1');
  private readonly slave: number;
  private held: Buffer = Buffer.alloc(0);
  /** One for each mark on its way, in order. */
  private readonly whenSeen: (() => void)[] = [];
  /** A terminal that changes or withholds what is written to it gives no mark back. */
  private usable = true;

  /** @param path  of the slave; a descriptor of our own that never blocks is opened */
  constructor(path: string) {
    this.slave = openSync(path, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
  }

  /** Resolves when all that was written before has gone through `strip`. */
  async passed(): Promise<void> {
    if (!(await this.written())) return;
    await new Promise<void>((resolve) => {
      const late = setTimeout(() => {
        this.usable = false;
        resolve();
      }, within_ms);
      this.whenSeen.push(() => {
        clearTimeout(late);
        resolve();
      });
    });
  }

  /** What the program wrote, of what was read. The beginning of a mark is held back until it is whole or none. */
  strip(data: Buffer): Buffer {
    let rest = this.held.length > 0 ? Buffer.concat([this.held, data]) : data;
    const kept: Buffer[] = [];
    for (let at = rest.indexOf(this.mark); at >= 0; at = rest.indexOf(this.mark)) {
      kept.push(rest.subarray(0, at));
      rest = rest.subarray(at + this.mark.length);
      this.whenSeen.shift()?.();
    }
    const begun = this.beginningAtEndOf(rest);
    this.held = rest.subarray(rest.length - begun);
    return Buffer.concat([...kept, rest.subarray(0, rest.length - begun)]);
  }

  close(): void {
    closeSync(this.slave);
  }

  /** Writes the mark, while what fills the terminal is being read. */
  private async written(): Promise<boolean> {
    const until = Date.now() + within_ms;
    for (let done = 0; this.usable && done < this.mark.length;) {
      done += this.write(this.mark.subarray(done));
      if (done === this.mark.length) break;
      if (Date.now() > until) this.usable = false;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return this.usable;
  }

  private write(bytes: Buffer): number {
    try {
      return writeSync(this.slave, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') this.usable = false;
      return 0;
    }
  }

  /** How many bytes at the end may be the beginning of a mark. */
  private beginningAtEndOf(bytes: Buffer): number {
    const longest = Math.min(bytes.length, this.mark.length - 1);
    for (let length = longest; length > 0; length--)
      if (bytes.subarray(bytes.length - length).equals(this.mark.subarray(0, length))) return length;
    return 0;
  }
}
