/**
 * Checks what comes from the client before it is parsed: headers, length,
 * JSON. The protocol server of @vscode/debugadapter waits for ever at bytes
 * that are no message; here they end the session with one sentence.
 */
import { Transform, type TransformCallback } from 'node:stream';

const headerEnd = Buffer.from('\r\n\r\n');
/** A header is one or two short lines. */
const longestHeader_bytes = 1024;
/** A breakpoint request for a thousand files is under 1 MB. */
const longestMessage_bytes = 64 << 20;

/** What is wrong with the client's bytes. */
export class MalformedMessage extends Error {}

export class StrictFraming extends Transform {
  private rest: Buffer = Buffer.alloc(0);

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    try {
      this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
      for (let message = this.next(); message !== undefined; message = this.next()) this.push(message);
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  /** One whole message with its header, or undefined if more bytes are needed. */
  private next(): Buffer | undefined {
    const end = this.rest.indexOf(headerEnd);
    if (end < 0) {
      if (this.rest.length > longestHeader_bytes) throw new MalformedMessage('a header has no end');
      const start = this.rest.toString('latin1', 0, Math.min(this.rest.length, 15));
      if (!'Content-Length:'.startsWith(start) && !/^[A-Za-z-]+(:|$)/.test(start))
        throw new MalformedMessage('bytes that are no header');
      return undefined;
    }
    const header = this.rest.toString('latin1', 0, end);
    const match = /^Content-Length: *(\d+) *$/im.exec(header);
    if (!match || end > longestHeader_bytes) throw new MalformedMessage('a header without Content-Length');
    const length = Number(match[1]);
    if (length > longestMessage_bytes) throw new MalformedMessage(`a message of ${length} bytes`);
    const total = end + headerEnd.length + length;
    if (this.rest.length < total) return undefined;
    const body = this.rest.subarray(end + headerEnd.length, total);
    checkBody(body);
    this.rest = this.rest.subarray(total);
    return Buffer.concat([Buffer.from(`Content-Length: ${length}\r\n\r\n`), body]);
  }
}

function checkBody(body: Buffer): void {
  let message: unknown;
  try {
    message = JSON.parse(body.toString('utf8'));
  } catch {
    throw new MalformedMessage('a message that is not JSON');
  }
  const type = typeof message === 'object' && message !== null && 'type' in message ? message.type : undefined;
  if (type !== 'request' && type !== 'response')
    throw new MalformedMessage('a message that is neither request nor response');
  const { command, seq } = message as { command?: unknown; seq?: unknown };
  if (typeof command !== 'string' || typeof seq !== 'number')
    throw new MalformedMessage('a message without "command" and "seq"');
}
