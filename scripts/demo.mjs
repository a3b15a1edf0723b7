/**
 * `npm run demo`: a program with a real bug under Chronofork, from the crash
 * back to the write that caused it; with `-- --code`, the same in VS Code.
 * This part makes everything ready; the session itself is in demo.ts.
 */
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { ScriptError, capture, isMain, root, runMain, show } from './lib/run.mjs';
import { findCommand } from './lib/requirements.mjs';

const source = 'examples/bank.c';
const program = 'build/examples/bank';

async function buildProgram() {
  mkdirSync(path.join(root, path.dirname(program)), { recursive: true });
  const status = await show('gcc', ['-Wall', '-Wextra', '-g', '-O0', '-o', program, source]);
  if (status !== 0) throw new ScriptError(`${source} could not be built; the reason is above.`);
}

/**
 * Makes a folder to be opened in VS Code: the source, the program built from it, and a launch.json.
 * @param {string} folder
 */
export function makeDemoFolder(folder) {
  mkdirSync(path.join(folder, '.vscode'), { recursive: true });
  const copy = path.join(folder, 'bank.c');
  copyFileSync(path.join(root, source), copy);
  const built = capture('gcc', ['-g', '-O0', '-o', path.join(folder, 'bank'), copy]);
  if (built.status !== 0) throw new ScriptError(`${source} could not be built:\n${built.stderr}`);
  const bank = { type: 'chronofork', request: 'launch', name: 'Bank', program: '${workspaceFolder}/bank' };
  const launch = { version: '0.2.0', configurations: [bank] };
  writeFileSync(path.join(folder, '.vscode/launch.json'), `${JSON.stringify(launch, null, 2)}\n`);
}

/** Opens the example in VS Code, with the extension loaded from this checkout. */
async function openInCode() {
  if (!findCommand('code')) {
    throw new ScriptError(
      'There is no `code` on PATH. Install VS Code, or in a running one use the command\n' +
        '"Shell Command: Install \'code\' command in PATH", and try again.',
    );
  }
  const folder = path.join(root, 'build/examples/code');
  makeDemoFolder(folder);
  console.log('In VS Code: press F5. The program crashes. In the Variables view open `customer`, right-click');
  console.log('`account` and choose "Go to Last Write"; or press Step Back.');
  return show('code', ['--new-window', `--extensionDevelopmentPath=${root}`, folder, path.join(folder, 'bank.c')]);
}

/** @param {string[]} args */
async function main(args) {
  const unknown = args.filter((arg) => arg !== '--code' && arg !== '--test');
  if (unknown.length > 0) throw new ScriptError(`npm run demo knows --code, not ${unknown.join(' ')}.`);
  await bootstrap(['build', 'run']);
  if (args.includes('--code')) return openInCode();
  await buildProgram();
  const tsx = path.join(root, 'node_modules/tsx/dist/cli.mjs');
  if (!existsSync(tsx)) throw new ScriptError('tsx is not installed; run npm ci.');
  return show(process.execPath, [tsx, 'scripts/demo.ts', program, source, ...args]);
}

if (isMain(import.meta.url)) await runMain(() => main(process.argv.slice(2)));
