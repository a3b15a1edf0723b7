/**
 * Which line of the program's output was written by which recorded call. The
 * recording keeps no text, but a digest of what each call wrote; the console
 * has the text, but not who wrote it. Here the two are put together, and
 * nothing is believed that the digest does not prove.
 *
 *     read from the console   b a l a n c e _ 1 6 0 \n d o n e \n
 *     recorded writes         ├──────── 12 ─────────┤ ├── 5 ──┤
 *
 * Pure, but for the digest that it is given.
 *
 * Easy to get wrong: text may come before or after its write is known; children
 * write to the same place, so a write may begin some lines further on; what
 * `writev` wrote in pieces has no digest of the whole, and is taken by its length
 * where the write before it was found.
 */

/** A recorded call that wrote to standard output or error. */
export interface OutputWrite {
  readonly event: number;
  readonly timeMs: number;
  readonly threadId: number;
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: number;
  /** null: written in pieces. */
  readonly digest: string | null;
}

/** A line, at the write of its first byte. Without text: a write whose text was not found. */
export interface OutputLine extends Pick<OutputWrite, 'event' | 'timeMs' | 'threadId' | 'stream' | 'bytes'> {
  text?: string;
}

/** A write is looked for in so much text; what a child writes in between is less. */
const lookAhead_bytes = 64 * 1024;

/** Nobody may ever ask for it: then the oldest text is forgotten. */
const mostText_bytes = 16 * 1024 * 1024;

/** Longer lines are cut: nobody reads them in a list. */
const longestLine = 1000;

/** One place where text comes from: a pipe, or a terminal. */
export class OutputText {
  readonly lines: OutputLine[] = [];
  private readonly waiting: OutputWrite[] = [];
  private text: Buffer = Buffer.alloc(0);
  /** Read since, not yet joined to it. */
  private pieces: Buffer[] = [];
  private pieces_bytes = 0;
  private open: OutputLine | undefined;
  private aligned = true;

  /** @param digest  of bytes, as the recording has it */
  constructor(private readonly digest: (bytes: Buffer) => string) {}

  append(bytes: Buffer): void {
    this.pieces.push(bytes);
    this.pieces_bytes += bytes.length;
    if (this.pieces_bytes > mostText_bytes) {
      this.join();
      this.text = this.text.subarray(-mostText_bytes / 2);
      this.aligned = false;
    }
  }

  wrote(write: OutputWrite): void {
    this.waiting.push(write);
  }

  /** Writes whose text was not found yet, in order. */
  get unresolved(): readonly OutputWrite[] {
    return this.waiting;
  }

  /** The line that has no end yet: a later write may go on with it. */
  get openLine(): OutputLine | undefined {
    return this.open;
  }

  /**
   * Finds the text of the writes that are known.
   *
   * @param all  all that was written has been read: what is not found now will not be
   */
  resolve(all: boolean): void {
    this.join();
    let done = 0;
    for (const write of this.waiting) {
      const at = this.find(write);
      if (at === undefined && !all && this.text.length < lookAhead_bytes + write.bytes) break;
      done++;
      if (at === undefined) this.lost(write);
      else this.found(write, at);
    }
    this.waiting.splice(0, done);
  }

  private join(): void {
    if (this.pieces.length === 0) return;
    this.text = Buffer.concat([this.text, ...this.pieces]);
    this.pieces = [];
    this.pieces_bytes = 0;
  }

  /** Where the write's text begins; undefined: not in what there is. */
  private find(write: OutputWrite): number | undefined {
    if (this.text.length < write.bytes) return undefined;
    if (write.digest === null) return this.aligned ? 0 : undefined;
    const last = Math.min(this.text.length - write.bytes, lookAhead_bytes);
    for (let at = 0; at >= 0 && at <= last; at = this.nextLine(at))
      if (this.digest(this.text.subarray(at, at + write.bytes)) === write.digest) return at;
    return undefined;
  }

  private nextLine(at: number): number {
    const end = this.text.indexOf(0x0a, at);
    return end < 0 ? -1 : end + 1;
  }

  private lost(write: OutputWrite): void {
    const { event, timeMs, threadId, stream, bytes } = write;
    this.lines.push({ event, timeMs, threadId, stream, bytes });
    this.open = undefined;
    this.aligned = false;
  }

  private found(write: OutputWrite, at: number): void {
    if (at > 0) this.open = undefined;
    this.aligned = true;
    const written = this.text.subarray(at, at + write.bytes).toString('utf8');
    this.text = this.text.subarray(at + write.bytes);
    const { event, timeMs, threadId, stream } = write;
    const pieces = written.split('\n');
    pieces.forEach((piece, index) => {
      const ends = index < pieces.length - 1;
      if (piece !== '' || ends) {
        const bytes = Buffer.byteLength(piece) + (ends ? 1 : 0);
        if (this.open) {
          const longer = { ...this.open, bytes: this.open.bytes + bytes };
          longer.text = ((this.open.text ?? '') + piece).slice(0, longestLine);
          this.lines[this.lines.length - 1] = this.open = longer;
        } else {
          this.open = { event, timeMs, threadId, stream, bytes, text: piece.slice(0, longestLine) };
          this.lines.push(this.open);
        }
      }
      if (ends) this.open = undefined;
    });
  }
}

/** Terminals turn the end of a line into two characters; undone here, across pieces. */
export class LineEnds {
  private held = false;

  undo(bytes: Buffer): Buffer {
    const whole = this.held ? Buffer.concat([Buffer.from('\r'), bytes]) : bytes;
    this.held = whole.at(-1) === 0x0d;
    const kept: Buffer[] = [];
    let from = 0;
    const end = whole.length - (this.held ? 1 : 0);
    for (let at = whole.indexOf('\r\n'); at >= 0 && at < end; at = whole.indexOf('\r\n', at + 2)) {
      kept.push(whole.subarray(from, at));
      from = at + 1;
    }
    kept.push(whole.subarray(from, end));
    return Buffer.concat(kept);
  }
}
