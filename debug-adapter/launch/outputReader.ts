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
import { Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { ReadStream } from 'node:tty';

export class OutputReader {
  private readonly stream: Socket;
  private readonly decoder = new StringDecoder('utf8');
  private chunks = 0;
  private closed = false;
  /** Resolves when there is nothing more to come. */
  readonly ended: Promise<void>;

  constructor(
    descriptor: number,
    kind: 'pty' | 'pipe',
    private readonly onData: (data: Buffer) => void,
  ) {
    this.stream =
      kind === 'pty' ? new ReadStream(descriptor) : new Socket({ fd: descriptor, readable: true, writable: false });
    this.ended = new Promise((resolve) => {
      this.stream.on('data', (data: Buffer) => {
        this.chunks++;
        this.onData(data);
      });
      this.stream.on('error', () => this.stream.destroy());
      this.stream.on('end', () => this.stream.destroy());
      this.stream.on('close', () => {
        this.closed = true;
        resolve();
      });
    });
    this.stream.resume();
  }

  /**
   * Lets what has arrived be handed on. A pty's master is a blocking
   * descriptor, so it is only ever read by the event loop: this waits until a
   * whole turn of the loop has brought nothing.
   */
  async drain(): Promise<void> {
    for (let before = -1; !this.closed && before !== this.chunks;) {
      before = this.chunks;
      // The first ends the present turn, the second comes after one that looked for input.
      await nextTurn();
      await nextTurn();
    }
  }

  text(data: Buffer): string {
    return this.decoder.write(data);
  }

  write(data: Buffer): void {
    if (!this.closed) this.stream.write(data);
  }

  async close(): Promise<void> {
    await this.drain();
    this.stream.destroy();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
