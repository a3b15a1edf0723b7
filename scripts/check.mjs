/**
 * `npm run check`: what can be known without running the debugger, in seconds.
 *
 *     types, types-scripts    tsc
 *     lint                    eslint, with the import directions
 *     format, format-cpp      prettier, clang-format 14
 *     layers                  checkIncludes.mjs
 *     tidy                    tidy.mjs
 *     l10n                    l10n.mjs: every text that people read can be translated
 *
 *     node scripts/check.mjs [NAME…]     some of them only
 *
 * Ends with the line `N passed, N failed, N skipped`, like every suite.
 */
import { mkdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { ScriptError, isMain, root, runLogged, runMain } from './lib/run.mjs';
import { findClangFormat } from './lib/requirements.mjs';
import { runAll } from './lib/schedule.mjs';
import { cppFiles } from './lib/sources.mjs';

// Seconds are expected; this is for a tool that hangs.
const limitSeconds = 300;

// Enough to see what is wrong; the log has all.
const shownLines = 30;

/**
 * A check that cannot be made here says why in `skip`.
 * @returns {{ name: string, command: string[], skip?: string }[]}
 */
function checks() {
  const bin = (/** @type {string} */ name) => path.join('node_modules/.bin', name);
  const clangFormat = findClangFormat();
  return [
    {
      name: 'types',
      command: [bin('tsc'), '-p', '.', '--incremental', '--tsBuildInfoFile', 'build/types.tsbuildinfo'],
    },
    { name: 'types-scripts', command: [bin('tsc'), '-p', 'tsconfig.scripts.json'] },
    { name: 'types-media', command: [bin('tsc'), '-p', 'media/timeline'] },
    {
      name: 'lint',
      command: [bin('eslint'), '.', '--max-warnings', '0', '--cache', '--cache-location', 'build/eslint-cache'],
    },
    {
      name: 'format',
      command: [
        bin('prettier'),
        '.',
        '--check',
        '--log-level',
        'warn',
        '--cache',
        '--cache-location',
        'build/prettier-cache',
      ],
    },
    {
      name: 'format-cpp',
      // One error for each file is enough: `npm run format` repairs them all.
      command: [clangFormat ?? 'clang-format', '--dry-run', '--Werror', '--ferror-limit=1', ...cppFiles()],
      skip: clangFormat ? undefined : 'clang-format 14 is not installed',
    },
    { name: 'layers', command: [process.execPath, 'scripts/checkIncludes.mjs'] },
    { name: 'tidy', command: [process.execPath, 'scripts/tidy.mjs'] },
    { name: 'l10n', command: [process.execPath, 'scripts/l10n.mjs', '--check'] },
  ];
}

/**
 * The beginning of what a check said: one mistake often repeats itself.
 * @param {string} output
 * @param {string} logFile
 */
function shorten(output, logFile) {
  const lines = output.trimEnd().split('\n');
  if (lines.length <= shownLines) return lines.join('\n');
  return [
    ...lines.slice(0, shownLines),
    `… ${lines.length - shownLines} more lines in ${path.relative(root, logFile)}`,
  ].join('\n');
}

/** @param {string[]} names */
async function main(names) {
  await bootstrap(['test'], { build: false });
  const logs = path.join(root, 'build/check');
  mkdirSync(logs, { recursive: true });
  const chosen = checks().filter(({ name }) => names.length === 0 || names.includes(name));
  const unknown = names.filter((name) => !chosen.some((check) => check.name === name));
  if (unknown.length > 0) throw new ScriptError(`There is no check named ${unknown.join(', ')}.`);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  await runAll(
    chosen.map((check) => ({ ...check, after: [] })),
    Math.min(2, os.availableParallelism()),
    async ({ name, command, skip }) => {
      if (skip !== undefined) {
        counts.skipped++;
        console.log(`${name.padEnd(14)} skipped: ${skip}`);
        return;
      }
      const started = Date.now();
      const logFile = path.join(logs, `${name}.log`);
      const { status, output } = await runLogged(command[0], command.slice(1), { logFile, limitSeconds });
      counts[status === 0 ? 'passed' : 'failed']++;
      console.log(
        `${name.padEnd(14)} ${status === 0 ? 'ok' : 'FAILED'}  ${((Date.now() - started) / 1000).toFixed(1)} s`,
      );
      if (status !== 0) console.log(shorten(output, logFile));
    },
  );
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed > 0 ? 1 : 0;
}

if (isMain(import.meta.url)) await runMain(() => main(process.argv.slice(2)));
