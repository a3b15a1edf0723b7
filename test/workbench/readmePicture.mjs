/**
 * Makes the README's picture, media/demo.jpeg: the demo in VS Code, one step
 * back from the guilty write. Run it after `npm run package` when what is to
 * be seen has changed, and look at it before it is committed.
 */
import { copyFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { ScriptError, isMain, root, runMain, show } from '../../scripts/lib/run.mjs';
import { resultsFolder } from './journey.mjs';

/** It is in the repository and in every VSIX. */
const limitBytes = 150_000;

async function main() {
  const walk = ['test/workbench/run.mjs', '--pictures', '--theme', 'Default Dark Modern', '--only', 'demo -- --code'];
  if ((await show(process.execPath, walk)) !== 0) return 1;
  const made = path.join(resultsFolder, 'real-demo.jpeg');
  const { size } = statSync(made);
  if (size > limitBytes) throw new ScriptError(`The picture has ${size} bytes; ${limitBytes} are allowed.`);
  copyFileSync(made, path.join(root, 'media/demo.jpeg'));
  console.log(`media/demo.jpeg: ${size} bytes`);
  return 0;
}

if (isMain(import.meta.url)) await runMain(main);
