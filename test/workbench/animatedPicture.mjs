/**
 * Puts screenshots together to an animated GIF, with one palette for all
 * frames, and only what changes between them.
 */
import { readFileSync } from 'node:fs';
import gifenc from 'gifenc';
import { PNG } from 'pngjs';

const { GIFEncoder, applyPalette, quantize } = gifenc;

/** 255 and one for "as before". */
const colours = 255;

/**
 * @param {{ file: string, delayMs: number }[]} frames PNG files of the same size
 * @returns {Buffer}
 */
export function animate(frames) {
  const pictures = frames.map(({ file, delayMs }) => ({ ...PNG.sync.read(readFileSync(file)), delayMs }));
  const [first] = pictures;
  const all = Buffer.concat(pictures.map(({ data }) => data));
  const palette = quantize(all, colours);
  const transparentIndex = palette.length;
  const gif = GIFEncoder();
  /** @type {Uint8Array | undefined} */
  let shown;
  for (const { data, width, height, delayMs } of pictures) {
    if (width !== first.width || height !== first.height) throw new Error('The pictures are not of one size.');
    const indexed = applyPalette(data, palette);
    const former = shown;
    const changed = former ? indexed.map((colour, at) => (colour === former[at] ? transparentIndex : colour)) : indexed;
    gif.writeFrame(changed, width, height, {
      palette: shown ? undefined : [...palette, [0, 0, 0]],
      delay: delayMs,
      transparent: shown !== undefined,
      transparentIndex,
      dispose: 1,
    });
    shown = indexed;
  }
  gif.finish();
  return Buffer.from(gif.bytes());
}
