/**
 * The suites of `npm test`, in order: one row each.
 *
 * `after` names suites that must have ended (their result is used), `alone`
 * ones that measure time or need both processors. The files a suite consists
 * of are named by `files`; a suite without any is an error, never silence.
 */
import path from 'node:path';
import { parseMocha, parseSummary } from './lib/counts.mjs';
import { root } from './lib/run.mjs';

/**
 * @typedef {object} Suite
 * @property {string} name
 * @property {string} about
 * @property {string[]} files patterns below the root; `**` any folders, `*` any name
 * @property {string[]} command
 * @property {string[]} [runner] what runs the command, in parts
 * @property {(output: string) => import('./lib/counts.mjs').Counts | undefined} parse
 * @property {string[]} after
 * @property {string[]} [needs] suites whose product it uses: they run too when only this one is asked for
 * @property {boolean} [alone]
 * @property {boolean} [unprivileged] run as an ordinary user; needs root to become one
 * @property {number} limitSeconds
 */

const node = process.execPath;

/**
 * @param {string[]} patterns
 * @returns {Pick<Suite, 'files' | 'command' | 'parse'>}
 */
function mocha(...patterns) {
  return { files: patterns, command: [node, 'node_modules/mocha/bin/mocha.js', ...patterns], parse: parseMocha };
}

/** @type {Pick<Suite, 'files' | 'runner' | 'command' | 'parse'>} */
const nativeTests = {
  files: ['test/native/**/*_test.cc'],
  runner: [node, path.join(root, 'scripts/nativeTests.mjs')],
  command: ['build/native-tests'],
  parse: parseSummary,
};

/** @type {Suite[]} */
export const suites = [
  {
    name: 'check',
    about: 'types, lint, format, layers, habits',
    files: ['scripts/check.mjs'],
    command: [node, 'scripts/check.mjs'],
    parse: parseSummary,
    after: [],
    limitSeconds: 300,
  },
  {
    name: 'unit',
    about: 'the extension, the adapter and the scripts, without a debuggee',
    ...mocha(
      'test/extension/**/*.test.ts',
      'test/media/**/*.test.ts',
      'test/debug-adapter/**/*.test.ts',
      'test/language-server/**/*.test.ts',
      'test/scripts/**/*.test.ts',
    ),
    after: [],
    limitSeconds: 300,
  },
  {
    name: 'native',
    about: 'the core',
    ...nativeTests,
    after: ['check', 'unit'],
    limitSeconds: 900,
  },
  {
    name: 'native-user',
    about: 'the core as an ordinary user',
    ...nativeTests,
    after: ['native'],
    unprivileged: true,
    limitSeconds: 900,
  },
  {
    name: 'package',
    about: 'the VSIX and what it needs',
    files: ['scripts/package.mjs'],
    command: [node, 'scripts/package.mjs'],
    parse: parseSummary,
    after: ['check', 'unit'],
    limitSeconds: 300,
  },
  {
    name: 'journeys',
    about: 'whole sessions through the DAP',
    ...mocha('test/journeys/**/*.test.ts'),
    after: ['native', 'native-user', 'package'],
    limitSeconds: 1500,
  },
  {
    name: 'lsp',
    about: 'history in the editor, through a plain LSP client',
    ...mocha('test/lsp/**/*.test.ts'),
    after: ['native', 'native-user', 'package'],
    limitSeconds: 600,
  },
  {
    name: 'editors',
    about: 'Neovim and Emacs',
    ...mocha('test/editors/**/*.test.ts'),
    after: ['native', 'native-user', 'package'],
    limitSeconds: 600,
  },
  {
    name: 'cli',
    about: 'the command line',
    ...mocha('test/cli/**/*.test.ts'),
    after: ['native', 'native-user', 'package'],
    limitSeconds: 300,
  },
  {
    name: 'demo',
    about: 'npm run demo, as a new user sees it',
    files: ['scripts/demo.mjs'],
    command: [node, 'scripts/demo.mjs', '--test'],
    parse: parseSummary,
    after: ['journeys', 'cli'],
    limitSeconds: 120,
  },
  {
    name: 'real',
    about: 'Lua, sqlite3 and bzip2',
    ...mocha('test/real/**/*.test.ts'),
    after: ['journeys', 'cli', 'demo'],
    limitSeconds: 1200,
  },
  {
    name: 'workbench',
    about: 'the packaged extension in a real VS Code',
    // A browser, a server, an extension host and gdb are what two processors carry.
    alone: true,
    files: ['test/workbench/run.mjs'],
    command: [node, 'test/workbench/run.mjs'],
    parse: parseSummary,
    needs: ['package'],
    after: ['package', 'journeys', 'cli', 'demo'],
    limitSeconds: 2100,
  },
];
