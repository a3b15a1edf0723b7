/**
 * Makes the README's pictures from journeys: media/demo.jpeg, one step back
 * from the guilty write, and media/step-back.gif, the way there. Run it after
 * `npm run package` when what is to be seen has changed, and look at them
 * before they are committed.
 */
import { copyFileSync, existsSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ScriptError, isMain, root, runMain, show } from '../../scripts/lib/run.mjs';
import { animate } from './animatedPicture.mjs';
import { resultsFolder } from './journey.mjs';

/** They are in the repository and in every VSIX. */
const limitBytes = { 'media/demo.jpeg': 150_000, 'media/step-back.gif': 1_500_000 };

/** How long each frame is looked at. */
const frameMs = [2500, 1200, 3500, 1500, 1500, 2500];

/** @param {string} journey */
async function walk(journey) {
  const run = ['test/workbench/run.mjs', '--pictures', '--theme', 'Default Dark Modern', '--only', journey];
  if ((await show(process.execPath, run)) !== 0) throw new ScriptError('The journey failed; the reason is above.');
}

/** @param {keyof typeof limitBytes} file */
function checkSize(file) {
  const { size } = statSync(path.join(root, file));
  if (size > limitBytes[file]) throw new ScriptError(`${file} has ${size} bytes; ${limitBytes[file]} are allowed.`);
  console.log(`${file}: ${size} bytes`);
}

async function main() {
  const wanted = process.argv.slice(2);
  if (wanted.length === 0 || wanted.includes('demo')) {
    await walk('demo -- --code');
    copyFileSync(path.join(resultsFolder, 'real-demo.jpeg'), path.join(root, 'media/demo.jpeg'));
    checkSize('media/demo.jpeg');
  }
  if (wanted.length === 0 || wanted.includes('step-back')) {
    await walk('README’s animated picture');
    const frames = frameMs
      .map((delayMs, index) => ({ file: path.join(resultsFolder, `real-frame-${index + 1}.png`), delayMs }))
      .filter(({ file }) => existsSync(file));
    writeFileSync(path.join(root, 'media/step-back.gif'), animate(frames));
    checkSize('media/step-back.gif');
  }
  return 0;
}

if (isMain(import.meta.url)) await runMain(main);
