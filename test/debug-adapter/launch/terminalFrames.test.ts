/** The frames between adapter and tty-holder, cut anywhere. */
import assert from 'node:assert/strict';
import { encodeFrame, encodeSize, FrameDecoder } from '../../../debug-adapter/launch/terminalFrames.js';

function decode(bytes: Buffer, pieceLength: number): [string, string][] {
  const frames: [string, string][] = [];
  const decoder = new FrameDecoder((kind, data) => frames.push([kind, data.toString('latin1')]));
  for (let at = 0; at < bytes.length; at += pieceLength) decoder.push(bytes.subarray(at, at + pieceLength));
  return frames;
}

describe('terminalFrames', () => {
  const stream = Buffer.concat([encodeFrame('d', Buffer.from('hello')), encodeSize(80, 24), encodeFrame('x')]);
  for (const pieceLength of [1, 3, 7, 1000])
    it(`come whole out of pieces of ${pieceLength}`, () =>
      assert.deepEqual(decode(stream, pieceLength), [
        ['d', 'hello'],
        ['s', '\x00\x50\x00\x18'],
        ['x', ''],
      ]));

  it('are refused when they are of no known kind, or too long', () => {
    assert.throws(() => decode(Buffer.from('q\x00\x00\x00\x00', 'latin1'), 100));
    assert.throws(() => decode(Buffer.from('d\xff\xff\xff\xff', 'latin1'), 100));
  });
});
