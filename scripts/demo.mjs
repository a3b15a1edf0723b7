/**
 * `npm run demo`: a program with a real bug under Chronofork, from the crash
 * back to the write that caused it; with `-- --code`, the same in VS Code.
 * This part makes everything ready; the session itself is in demo.ts.
 */
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { ScriptError, isMain, root, runMain, show } from './lib/run.mjs';
import { findCommand } from './lib/requirements.mjs';

const source = 'examples/bank.c';
const program = 'build/examples/bank';

async function buildProgram() {
  mkdirSync(path.join(root, path.dirname(program)), { recursive: true });
  const status = await show('gcc', ['-Wall', '-Wextra', '-g', '-O0', '-o', program, source]);
  if (status !== 0) throw new ScriptError(`${source} could not be built; the reason is above.`);
}

/** Opens the example in VS Code, with the extension loaded from this checkout. */
async function openInCode() {
  if (!findCommand('code')) {
    throw new ScriptError(
      'There is no `code` on PATH. Install VS Code, or in a running one use the command\n' +
        '"Shell Command: Install \'code\' command in PATH", and try again.',
    );
  }
  console.log('In VS Code: press F5. The program crashes; then right-click `account` in the Variables view');
  console.log('and choose "Go to last write", or press Step Back.');
  const folder = path.join(root, 'examples');
  return show('code', ['--new-window', `--extensionDevelopmentPath=${root}`, folder, path.join(root, source)]);
}

/** @param {string[]} args */
async function main(args) {
  const unknown = args.filter((arg) => arg !== '--code' && arg !== '--test');
  if (unknown.length > 0) throw new ScriptError(`npm run demo knows --code, not ${unknown.join(' ')}.`);
  await bootstrap(['build', 'run']);
  await buildProgram();
  if (args.includes('--code')) return openInCode();
  const tsx = path.join(root, 'node_modules/tsx/dist/cli.mjs');
  if (!existsSync(tsx)) throw new ScriptError('tsx is not installed; run npm ci.');
  return show(process.execPath, [tsx, 'scripts/demo.ts', program, source, ...args]);
}

if (isMain(import.meta.url)) await runMain(() => main(process.argv.slice(2)));
