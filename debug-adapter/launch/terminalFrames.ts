/**
 * What the adapter and the tty-holder say to each other over their socket.
 *
 *     holder  ──▶ adapter   'd' bytes typed          's' columns, rows
 *     adapter ──▶ holder    'd' bytes to be shown    'x' the program has ended
 *
 * A frame is its letter, the length of the rest as 32 bits big endian, and the
 * rest. The decoder takes bytes in any pieces.
 */
export type FrameKind = 'd' | 's' | 'x';

/** More than a terminal ever sends at once; a greater length is not ours. */
const longestFrame_bytes = 1 << 20;

export function encodeFrame(kind: FrameKind, data: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(5);
  header.write(kind, 0, 'latin1');
  header.writeUInt32BE(data.length, 1);
  return Buffer.concat([header, data]);
}

export function encodeSize(columns: number, rows: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeUInt16BE(columns, 0);
  data.writeUInt16BE(rows, 2);
  return encodeFrame('s', data);
}

export class FrameDecoder {
  private rest: Buffer = Buffer.alloc(0);

  constructor(private readonly onFrame: (kind: FrameKind, data: Buffer) => void) {}

  /** @throws Error when the peer does not speak this */
  push(bytes: Buffer): void {
    this.rest = Buffer.concat([this.rest, bytes]);
    while (this.rest.length >= 5) {
      const kind = String.fromCharCode(this.rest[0]!);
      const length = this.rest.readUInt32BE(1);
      if (!'dsx'.includes(kind) || length > longestFrame_bytes) throw new Error('not a frame of the terminal relay');
      if (this.rest.length < 5 + length) return;
      const data = this.rest.subarray(5, 5 + length);
      this.rest = this.rest.subarray(5 + length);
      this.onFrame(kind as FrameKind, data);
    }
  }
}
