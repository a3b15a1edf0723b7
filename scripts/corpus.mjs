/**
 * `npm run corpus`: records and verifies the programs of scripts/corpus/programs.mjs,
 * and writes what came of it to docs/corpus.md.
 *
 *     npm run corpus                                  all, at 10 and 100 ms, 5 times each
 *     npm run corpus -- --only sqlite3,perl           some; the table keeps the others' last results
 *     npm run corpus -- --runs 1 --intervals 10
 *     npm run corpus -- --limit 60                    seconds for a run, 240 if not said
 *     npm run corpus -- --jobs 2                      two programs at a time: less time, more noise in the ratios
 *     npm run corpus -- --table                       only the table, from the last results
 *
 * == 1. Debian packages that are missing (apt-get, as bootstrap does it).
 * == 2. Each program: `chronofork verify` in a fresh folder, again and again;
 *       natively before every second time, for its time and exit code.
 * == 3. The table.
 *
 * Easy to get wrong: a server is ended by what runs beside it, natively and
 * recorded alike; whatever is left of a run is killed by its process group.
 */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { cpus, release, tmpdir } from 'node:os';
import path from 'node:path';
import { bootstrap, privileged } from './bootstrap.mjs';
import { programs } from './corpus/programs.mjs';
import { ScriptError, capture, isMain, root, runMain } from './lib/run.mjs';

/** @typedef {import('./corpus/programs.mjs').Program} Program */

/**
 * @typedef {object} Result
 * @property {string} name
 * @property {number} intervalMs
 * @property {number} runs
 * @property {number} threads
 * @property {number} events
 * @property {number} checkpoints
 * @property {number} nativeMs
 * @property {number} recordMs
 * @property {number} passMs
 * @property {string[]} problems
 * @property {string[]} notices
 */

// Replays to the end from all checkpoints would take the square of the time.
const mostReplays = 4;
let limitSeconds = 240;
const resultsFile = path.join(root, 'build/corpus/results.json');
const tableFile = path.join(root, 'docs/corpus.md');

/** @param {string[]} given */
function parse(given) {
  /** @type {{ only: string[], runs: number, intervals: number[], jobs: number, tableOnly: boolean }} */
  const options = { only: [], runs: 5, intervals: [10, 100], jobs: 1, tableOnly: false };
  const rest = [...given];
  for (let option = rest.shift(); option !== undefined; option = rest.shift()) {
    const value = () => rest.shift() ?? '';
    if (option === '--only') options.only = value().split(',');
    else if (option === '--runs') options.runs = Number(value());
    else if (option === '--intervals') options.intervals = value().split(',').map(Number);
    else if (option === '--jobs') options.jobs = Number(value());
    else if (option === '--limit') limitSeconds = Number(value());
    else if (option === '--table') options.tableOnly = true;
    else throw new ScriptError(`corpus does not know ${option}`);
  }
  return options;
}

/** @param {Program[]} chosen */
async function installPackages(chosen) {
  const wanted = [...new Set(chosen.flatMap((program) => program.packages))];
  const missing = wanted.filter((name) => {
    const { status, stdout } = capture('dpkg-query', ['-W', '-f', '${Status}', name]);
    return status !== 0 || !stdout.includes('ok installed');
  });
  if (missing.length === 0) return;
  console.log(`corpus: installing ${missing.join(' ')}`);
  await privileged(['apt-get', '-q', 'update']);
  await privileged(['apt-get', '-q', 'install', '-y', '--no-install-recommends', ...missing]);
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** @param {number} milliseconds */
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** @param {number} port */
async function answers(port) {
  for (let tries = 0; tries < 300; ++tries) {
    const open = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.end(() => resolve(true)));
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    await pause(100);
  }
}

/** One run of a program, in a folder of its own. */
class Run {
  /** @param {Program} program @param {number} port @param {string} [input] a folder with its input, already made */
  constructor(program, port, input) {
    this.input = input;
    this.program = program;
    this.port = port;
    this.folder = mkdtempSync(path.join(tmpdir(), 'chronofork-corpus-'));
    chmodSync(this.folder, 0o777);
    /** @type {string[]} */
    this.as = program.user && process.getuid?.() === 0 ? asUser(program.user) : [];
    /** @type {import('node:child_process').ChildProcess[]} */
    this.started = [];
    const fill = (/** @type {string} */ text) => this.fill(text);
    this.env = {
      ...process.env,
      // The distribution's programs, not what wraps them on this machine.
      PATH: '/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin',
      LC_ALL: 'C.UTF-8',
      PORT: String(port),
      ...Object.fromEntries(Object.entries(program.env ?? {}).map(([name, value]) => [name, fill(value)])),
    };
  }

  /** @param {string} text */
  fill(text) {
    return text.replaceAll('$PORT', String(this.port)).replaceAll('$DISPLAY_NUMBER', String(this.port % 30000));
  }

  /** The debuggee's own command. @returns {string[]} */
  command() {
    const { command, shell } = this.program;
    return command ? command.map((word) => this.fill(word)) : ['bash', '-c', this.fill(shell ?? '')];
  }

  /** @param {string[]} words @param {string} [input] */
  start(words, input) {
    const shell = 'exec "$@"' + (input ? ` < '${input}'` : ' < /dev/null') + ' >> out.txt 2>> err.txt';
    const child = spawn('bash', ['-c', shell, 'bash', ...this.as, ...words], {
      cwd: this.folder,
      env: this.env,
      stdio: 'ignore',
      detached: true,
    });
    this.started.push(child);
    return child;
  }

  /** @param {import('node:child_process').ChildProcess} child @returns {Promise<{ code: number, ms: number }>} */
  end(child) {
    const began = performance.now();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.timedOut = true;
        kill(child);
      }, limitSeconds * 1000);
      child.on('exit', (code, signal) => {
        clearTimeout(timer);
        resolve({ code: code ?? (signal ? 128 : 127), ms: performance.now() - began });
      });
    });
  }

  /** Makes its input in its folder. @returns {Promise<string | undefined>} why that failed */
  async setUp() {
    const { setup } = this.program;
    if (!setup) return undefined;
    const make =
      this.input === undefined
        ? ['bash', '-c', this.fill(setup)]
        : [
            'bash',
            '-c',
            `find '${this.input}' -mindepth 1 -maxdepth 1 ! -name out.txt ! -name err.txt -exec cp -a -t . {} +`,
          ];
    const made = await this.end(this.start(make));
    return made.code === 0 ? undefined : `setup failed: ${this.errors()}`;
  }

  /** Runs `words` (the program, or verify with it) with all that belongs to it. @param {string[]} words */
  async run(words) {
    const { before, beside, keys, stdin, setup } = this.program;
    const problem = await this.setUp();
    if (problem !== undefined) return { code: 126, ms: 0, why: problem };
    if (before) {
      this.start(['bash', '-c', this.fill(before)]);
      if (before.includes('$PORT')) await answers(this.port);
      else await pause(1500);
    }
    const whole = keys ? ['expect', '-c', this.expectScript(words, keys)] : words;
    const main = this.start(whole, stdin);
    const ended = this.end(main);
    if (beside) {
      const asked = this.command().some((word) => word.includes(String(this.port))) || setup?.includes('$PORT');
      if (asked && !beside.startsWith('sleep')) await Promise.race([answers(this.port), ended]);
      this.start(['bash', '-c', this.fill(beside)]);
    }
    return ended;
  }

  /** @param {string[]} words @param {string} keys */
  expectScript(words, keys) {
    const quoted = words.map((word) => `{${word}}`).join(' ');
    return `set timeout ${limitSeconds}; spawn -noecho ${quoted}; ${keys}; expect eof; exit [lindex [wait] 3]`;
  }

  /** The end of what was written to standard error. */
  errors() {
    return readFileSync(path.join(this.folder, 'err.txt'), 'utf8').slice(-300);
  }

  clean() {
    for (const child of this.started) kill(child);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** @param {string} name */
const asUser = (name) => ['setpriv', `--reuid=${name}`, '--regid=nogroup', '--clear-groups'];

/** @param {import('node:child_process').ChildProcess} child */
function kill(child) {
  try {
    if (child.pid) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // gone already
  }
}

/** @param {Program} program @param {number} intervalMs @param {number} runs @returns {Promise<Result>} */
async function verify(program, intervalMs, runs) {
  /** @type {Result} */
  const result = {
    name: program.name,
    intervalMs,
    runs: 0,
    threads: 0,
    events: 0,
    checkpoints: 0,
    nativeMs: 0,
    recordMs: 0,
    passMs: 0,
    problems: [],
    notices: [],
  };
  // What takes no port is made once.
  const first = program.setup && !program.setup.includes('$PORT') ? new Run(program, 0) : undefined;
  const problem = await first?.setUp();
  if (problem !== undefined) result.problems.push(problem);
  const nativeMs = [];
  let nativeCode = 0;
  for (let i = 0; i < runs && problem === undefined && result.problems.length < 3; ++i) {
    if (i % 2 === 0) {
      const plain = await runNatively(program, first?.folder);
      if (plain.problem !== undefined) {
        result.problems.push(plain.problem);
        break;
      }
      // Else one that only says what it misses would be "identical".
      if (!program.anyExit && plain.code !== (program.exitCode ?? 0)) {
        result.problems.push(`ended natively with ${plain.code}`);
        break;
      }
      nativeMs.push(plain.ms);
      nativeCode = plain.code;
    }
    await verifyOnce(program, nativeCode, result, first?.folder);
  }
  first?.clean();
  result.nativeMs = nativeMs.reduce((sum, ms) => sum + ms, 0) / Math.max(1, nativeMs.length);
  return result;
}

/** @param {Program} program @param {string} [input] @returns {Promise<{ code: number, ms: number, problem?: string }>} */
async function runNatively(program, input) {
  const run = new Run(program, await freePort(), input);
  const plain = await run.run(run.command());
  run.clean();
  if ('why' in plain) return { ...plain, problem: String(plain.why) };
  return run.timedOut ? { ...plain, problem: 'does not end natively' } : plain;
}

/** @param {Program} program @param {number} nativeCode @param {Result} result @param {string} [input] */
async function verifyOnce(program, nativeCode, result, input) {
  const run = new Run(program, await freePort(), input);
  const report = path.join(run.folder, 'report.json');
  const settings = ['--interval', String(result.intervalMs), '--replays', String(mostReplays), '--report', report];
  const cli = [process.execPath, path.join(root, 'dist/cli.cjs'), 'verify', ...settings, '--'];
  await run.run([...cli, ...run.command()]);
  result.runs += 1;
  const note = (/** @type {string} */ problem) => result.problems.push(problem);
  if (run.timedOut) note(`not done after ${limitSeconds} s`);
  else if (!existsSync(report)) note(`no report: ${run.errors()}`);
  else {
    const found = JSON.parse(readFileSync(report, 'utf8'));
    for (const notice of found.notices) if (!result.notices.includes(notice)) result.notices.push(notice);
    if (found.error) note(`not recorded: ${found.error.message}`);
    else if (found.diverged.length > 0) note(`${found.diverged.length} divergences: ${found.diverged[0].what}`);
    else if (!program.anyExit && found.exitCode !== nativeCode)
      note(`ended with ${found.signal ?? found.exitCode}, natively with ${nativeCode}`);
    for (const key of /** @type {const} */ (['threads', 'events', 'checkpoints']))
      result[key] = Math.max(result[key], found[key]);
    result.recordMs += (found.recordMs - result.recordMs) / result.runs;
    result.passMs += (found.onePassMs - result.passMs) / result.runs;
  }
  run.clean();
}

/** What is known of former runs: on another machine only what the table says. @returns {Record<string, Result>} */
function load() {
  if (existsSync(resultsFile)) return JSON.parse(readFileSync(resultsFile, 'utf8'));
  return existsSync(tableFile) ? resultsIn(readFileSync(tableFile, 'utf8')) : {};
}

/** @param {string} table @returns {Record<string, Result>} */
function resultsIn(table) {
  /** @type {Record<string, Result>} */
  const results = {};
  for (const line of table.split('\n')) {
    const cells = line.split(/(?<!\\)\|/).map((text) => text.trim());
    const [, name = '', interval, runs, threads, events, checkpoints, native, recorded, replayed, verdict = ''] = cells;
    const intervalMs = Number.parseInt(interval ?? '');
    const nativeMs = Number.parseFloat(native ?? '') * 1000;
    if (Number.isNaN(intervalMs) || Number.isNaN(nativeMs)) continue;
    const timeOf = (/** @type {string | undefined} */ text) => (Number.parseFloat(text ?? '') || 0) * nativeMs;
    results[`${name} ${intervalMs}`] = {
      name,
      intervalMs,
      runs: Number(runs),
      threads: Number(threads),
      events: Number(events),
      checkpoints: Number(checkpoints),
      nativeMs,
      recordMs: timeOf(recorded),
      passMs: timeOf(replayed),
      problems: verdict.startsWith('**') ? [verdict.split('**')[1] ?? ''] : [],
      notices: [],
    };
  }
  for (const [, names = '', notice = ''] of table.matchAll(/^- (.+?): ((?:info|warning): .*)$/gm))
    for (const name of names.split(', '))
      for (const result of Object.values(results)) if (result.name === name) result.notices.push(notice);
  return results;
}

/** @param {number} ms @param {number} nativeMs */
const ratio = (ms, nativeMs) => (ms > 0 && nativeMs > 0 ? `${(ms / nativeMs).toFixed(1)}×` : '–');
/** @param {string} text */
const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** @param {Result[]} rows @param {'recordMs' | 'passMs'} figure */
function spread(rows, figure) {
  const ratios = rows.map((row) => row[figure] / row.nativeMs).sort((a, b) => a - b);
  const median = ratios[Math.floor(ratios.length / 2)] ?? 0;
  return `${median.toFixed(1)}× in the median, ${(ratios.at(-1) ?? 0).toFixed(1)}× at worst`;
}

/** @param {Result} result */
function verdict(result) {
  if (result.problems.length > 0)
    return `**${cell(result.problems[0] ?? '')}** (${result.problems.length} of ${result.runs})`;
  return result.notices.length > 0 ? 'identical, with a limit' : 'identical';
}

/** @param {Record<string, Result>} results @param {number} jobs */
function writeTable(results, jobs) {
  const atOnce = jobs === 1 ? 'one program at a time' : `${jobs} programs at a time`;
  const rows = programs.flatMap((program) =>
    Object.values(results).filter((result) => result.name === program.name && result.nativeMs > 0),
  );
  const notices = new Map();
  for (const row of rows)
    for (const notice of row.notices) notices.set(notice, [...new Set([...(notices.get(notice) ?? []), row.name])]);
  const good = new Set(rows.map((row) => row.name));
  for (const row of rows) if (row.problems.length > 0) good.delete(row.name);
  const lines = [
    '# Programs that were recorded and replayed',
    '',
    `Made by \`npm run corpus\` on ${new Date().toISOString().slice(0, 10)}, Linux ${release()}, ${cpus().length} processors, ${atOnce}:`,
    `${good.size} of ${new Set(rows.map((row) => row.name)).size} programs identical in all runs.`,
    '',
    'Each run of `chronofork verify` records the program to its end, replays every interval between checkpoints and',
    `compares registers at every event and memory at the next checkpoint, then replays from ${mostReplays} checkpoints, evenly spread,`,
    'to the end (`--replays`: from all of them would take the square of the time). Only the program itself is recorded, not',
    'its children. *recorded* is the time of the recording by that of an ordinary run, *replayed* that of one replay of',
    'everything with its comparisons.',
    '',
    `By the time of an ordinary run: recorded ${spread(rows, 'recordMs')}; replayed ${spread(rows, 'passMs')}.`,
    '',
    '| program | interval | runs | threads | events | checkpoints | native | recorded | replayed | verdict |',
    '|---|---|---|---|---|---|---|---|---|---|',
    ...rows.map(
      (row) =>
        `| ${row.name} | ${row.intervalMs} ms | ${row.runs} | ${row.threads} | ${row.events} | ${row.checkpoints} | ` +
        `${(row.nativeMs / 1000).toFixed(2)} s | ${ratio(row.recordMs, row.nativeMs)} | ${ratio(row.passMs, row.nativeMs)} | ${verdict(row)} |`,
    ),
    '',
    '## Limits that were met',
    '',
    ...[...notices].map(([notice, names]) => `- ${names.join(', ')}: ${notice}`),
    '',
  ];
  writeFileSync(tableFile, lines.join('\n'));
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    const options = parse(process.argv.slice(2));
    const results = load();
    if (options.tableOnly) return writeTable(results, options.jobs);
    const chosen = programs.filter((program) => options.only.length === 0 || options.only.includes(program.name));
    if (chosen.length === 0) throw new ScriptError(`There is no program named ${options.only.join(', ')}.`);
    await bootstrap(['build', 'run']);
    await installPackages(chosen);
    mkdirSync(path.dirname(resultsFile), { recursive: true });
    let bad = 0;
    const left = options.intervals.flatMap((intervalMs) => chosen.map((program) => ({ program, intervalMs })));
    const work = async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const { program, intervalMs } = next;
        const result = await verify(program, intervalMs, options.runs);
        const problem = result.problems[0];
        if (problem) ++bad;
        results[`${program.name} ${intervalMs}`] = result;
        writeFileSync(resultsFile, `${JSON.stringify(results, null, 1)}\n`);
        const figures = `${(result.nativeMs / 1000).toFixed(2)} s, ${result.events} events`;
        console.log(`${program.name} (${intervalMs} ms): ${problem ?? `identical, ${figures}`}`);
      }
    };
    await Promise.all(Array.from({ length: options.jobs }, work));
    writeTable(results, options.jobs);
    return bad > 0 ? 1 : 0;
  });
}
