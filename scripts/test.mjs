/**
 * `npm test`: makes everything ready, runs every suite of suites.mjs, and ends
 * with one line, `N passed, N failed, N skipped`.
 *
 *     npm test                          everything
 *     npm test -- --only journeys,cli   some suites, and what they need
 *     npm test -- --no-build            as it is, without bootstrap and build
 *     npm test -- --list
 *
 * What a suite printed is in test-results/NAME.log; on the screen there is one
 * line for each, and the end of the log of one that failed.
 *
 * Easy to get wrong: nothing here may make a run look better than it was. A
 * suite without files, one that ends without counts, and one whose runner
 * fails all count as failed, and a run without any test fails.
 */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { judge } from './lib/counts.mjs';
import { ScriptError, isMain, root, runLogged, runMain } from './lib/run.mjs';
import { runAll } from './lib/schedule.mjs';
import { matchingFiles } from './lib/sources.mjs';
import { suites } from './suites.mjs';

/** @typedef {import('./suites.mjs').Suite} Suite */

// Two processors are what the smallest machines have, and a debugger with its debuggee uses both.
const suitesAtOnce = 2;

// The end of a failed suite's log: mocha lists the failures last.
const shownLines = 60;

const asRoot = process.getuid?.() === 0;

const results = path.join(root, 'test-results');

/**
 * @param {string[]} args
 * @returns {{ chosen: Suite[], build: boolean }}
 */
function readArguments(args) {
  let chosen = suites;
  let build = true;
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--no-build') {
      build = false;
    } else if (args[i] === '--only') {
      const names = (args[++i] ?? '').split(',').filter((name) => name !== '');
      const unknown = names.filter((name) => !suites.some((suite) => suite.name === name));
      if (unknown.length > 0 || names.length === 0) {
        throw new ScriptError(`There is no suite "${unknown.join(', ')}". There are ${listNames()}.`);
      }
      const asked = suites.filter((suite) => names.includes(suite.name));
      const needed = asked.flatMap((suite) => suite.needs ?? []);
      chosen = suites.filter((suite) => asked.includes(suite) || needed.includes(suite.name));
    } else {
      throw new ScriptError(`npm test knows --only NAME[,NAME…], --no-build and --list, not ${args[i]}.`);
    }
  }
  return { chosen, build };
}

const listNames = () => suites.map((suite) => suite.name).join(', ');

/**
 * Where and how a suite is run: as root, an unprivileged one in a copy that
 * the user nobody can read, because the repository itself may not be readable.
 * @param {Suite} suite
 * @returns {{ command: string[], cwd: string, env: NodeJS.ProcessEnv, cleanUp: () => void }}
 */
function place(suite) {
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1', CI: 'true' };
  delete env.CHRONOFORK_LOG;
  if (!suite.unprivileged) {
    return { command: [...(suite.runner ?? []), ...suite.command], cwd: root, env, cleanUp: () => undefined };
  }
  const home = mkdtempSync(path.join(os.tmpdir(), 'chronofork-user-'));
  const nobody = '65534';
  for (const copied of ['build/native-tests', 'test/programs', 'test/native']) {
    cpSync(path.join(root, copied), path.join(home, copied), { recursive: true });
  }
  const own = path.join(home, 'home');
  mkdirSync(own);
  makeReadable(home);
  chmodSync(own, 0o777);
  const become = [
    'setpriv',
    `--reuid=${nobody}`,
    `--regid=${nobody}`,
    '--clear-groups',
    '--inh-caps=-all',
    '--bounding-set=-all',
    '--',
  ];
  return {
    command: [...(suite.runner ?? []), ...become, ...suite.command],
    cwd: home,
    env: { ...env, HOME: own, TMPDIR: own, XDG_RUNTIME_DIR: own, USER: 'nobody' },
    cleanUp: () => rmSync(home, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/** @param {string} folder */
function makeReadable(folder) {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) makeReadable(file);
    else if (entry.isFile()) chmodSync(file, 0o755);
  }
}

/**
 * Runs one suite and prints its line.
 * @param {Suite} suite
 * @returns {Promise<import('./lib/counts.mjs').Counts>}
 */
async function runSuite(suite) {
  const started = Date.now();
  const logFile = path.join(results, `${suite.name}.log`);
  /** @type {import('./lib/counts.mjs').Counts & { problem?: string }} */
  let counts = { passed: 0, failed: 1, skipped: 0, problem: '' };
  let output = '';
  const absent = suite.files.filter((pattern) => matchingFiles([pattern]).length === 0);
  if (absent.length > 0) {
    counts.problem = `there is no ${absent.join(' and no ')}`;
  } else {
    const { command, cwd, env, cleanUp } = place(suite);
    try {
      const run = await runLogged(command[0], command.slice(1), {
        logFile,
        limitSeconds: suite.limitSeconds,
        cwd,
        env,
      });
      output = run.output;
      counts = judge(suite.parse(output), run.status);
      if (run.timedOut) counts.problem = `it was stopped after ${suite.limitSeconds} s`;
    } finally {
      cleanUp();
    }
  }
  const seconds = ((Date.now() - started) / 1000).toFixed(1).padStart(6);
  const numbers = [counts.passed, counts.failed, counts.skipped].map((n) => String(n).padStart(7)).join(' ');
  console.log(`${suite.name.padEnd(12)}${numbers} ${seconds} s   ${counts.problem ?? suite.about}`);
  for (const line of output.match(/^UNSTABLE .*$/gm) ?? []) console.log(`    | ${line}`);
  if (counts.failed > 0 && output !== '') {
    const tail = output.trimEnd().split('\n').slice(-shownLines);
    console.log(`${tail.map((line) => `    | ${line}`).join('\n')}\n    (all of it: ${path.relative(root, logFile)})`);
  }
  return counts;
}

/** @param {string[]} args */
async function main(args) {
  if (args.includes('--list')) {
    for (const suite of suites) console.log(`${suite.name.padEnd(12)} ${suite.about}`);
    return 0;
  }
  const { chosen, build } = readArguments(args);
  const started = Date.now();
  if (build) await bootstrap(['build', 'run', 'test']);
  // The results of other suites are kept when only some are run.
  if (chosen === suites) rmSync(results, { recursive: true, force: true });
  mkdirSync(results, { recursive: true });

  console.log(`\n${'suite'.padEnd(12)} ${' passed  failed skipped'}   time`);
  const total = { passed: 0, failed: 0, skipped: 0 };
  // Who is no root has tested as an ordinary user already.
  const toRun = chosen.filter((suite) => asRoot || !suite.unprivileged);
  await runAll(toRun, suitesAtOnce, async (suite) => {
    const counts = await runSuite(suite);
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
  });
  if (chosen.some((suite) => suite.unprivileged) && !asRoot) {
    console.log('The core was tested as an ordinary user: that is what you are.');
  }
  if (total.passed + total.failed === 0) total.failed = 1;
  const seconds = Math.round((Date.now() - started) / 1000);
  if (chosen === suites)
    writeFileSync(path.join(results, 'summary.json'), JSON.stringify({ ...total, seconds }) + '\n');
  console.log(`\n${seconds} s`);
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total.failed > 0 ? 1 : 0;
}

// A suite has a process group of its own, so Ctrl+C does not reach it: leaving ends it.
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
  process.on(signal, () => process.exit(130));

/**
 * What cannot even begin (no compiler, a build that breaks) is a failure that
 * is counted too: the last line is there in any case.
 * @param {string[]} args
 */
async function mainWithSummary(args) {
  try {
    return await main(args);
  } catch (error) {
    console.error(error instanceof ScriptError ? `\n${error.message}\n` : error);
    console.log('0 passed, 1 failed, 0 skipped');
    return 1;
  }
}

if (isMain(import.meta.url)) await runMain(() => mainWithSummary(process.argv.slice(2)));
