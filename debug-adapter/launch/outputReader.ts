/**
 * Reads what the debuggee writes, from a descriptor of ours (a pty's master or
 * a pipe), and hands it on as text.
 *
 * `drain()` takes what is there now, so that output is shown before the stop
 * that follows it.
 *
 * Easy to get wrong: a character of several bytes may be cut by a read; and the
 * master of a pty whose slaves are all closed says EIO, which is its end.
 */
import { readSync } from 'node:fs';
import { Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { ReadStream } from 'node:tty';

export class OutputReader {
  private readonly stream: Socket;
  private readonly decoder = new StringDecoder('utf8');
  private readonly buffer = Buffer.alloc(65536);
  private closed = false;
  /** Resolves when there is nothing more to come. */
  readonly ended: Promise<void>;

  constructor(
    private readonly descriptor: number,
    kind: 'pty' | 'pipe',
    private readonly onData: (data: Buffer) => void,
  ) {
    this.stream =
      kind === 'pty' ? new ReadStream(descriptor) : new Socket({ fd: descriptor, readable: true, writable: false });
    this.ended = new Promise((resolve) => {
      this.stream.on('data', (data: Buffer) => this.onData(data));
      this.stream.on('error', () => this.stream.destroy());
      this.stream.on('end', () => this.stream.destroy());
      this.stream.on('close', () => {
        this.closed = true;
        resolve();
      });
    });
    this.stream.resume();
  }

  /** Hands on what has arrived already. The descriptor is non-blocking, made so by the stream. */
  drain(): void {
    while (!this.closed) {
      let length = 0;
      try {
        length = readSync(this.descriptor, this.buffer);
      } catch {
        return;
      }
      if (length === 0) return;
      this.onData(Buffer.from(this.buffer.subarray(0, length)));
    }
  }

  text(data: Buffer): string {
    return this.decoder.write(data);
  }

  write(data: Buffer): void {
    if (!this.closed) this.stream.write(data);
  }

  close(): void {
    this.drain();
    this.stream.destroy();
  }
}
