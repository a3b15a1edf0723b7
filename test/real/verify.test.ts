/**
 * `chronofork verify` on Lua, sqlite3 and bzip2: recorded, replayed from the
 * start and from every kept checkpoint, and no replay is different.
 *
 * CHRONOFORK_REAL_REPEAT says how often (once unless it does). What was
 * measured on the way is left in build/real/verify.md, as the table of
 * docs/performance.md.
 *
 * Easy to get wrong: a replay that says nothing is worthless if the recorded
 * program did something else; so what it wrote is compared with what it writes
 * when nobody watches.
 */
import assert from 'node:assert/strict';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ReportFile } from '../../debug-adapter/cli/verify.js';
import { root } from '../../scripts/lib/run.mjs';
import { adapterCommand } from '../dsl/adapterClient.js';
import { freshRun, optimisations, realNames, type RealName, type RealProgram, type Run } from './realPrograms.js';
import { realProgramOrSkip } from './skipping.js';

const repeat = Number(process.env.CHRONOFORK_REAL_REPEAT ?? 1);
const intervalsMs = [5, 20, 100];
// The longest takes half a minute; what takes ten times that hangs.
const patienceMs = 300_000;
// Lua's work is short; ten rounds are enough for checkpoints every 100 ms.
const luaRounds = 10;

/** What one run left to be compared: its output, and the file it made. */
interface Effects {
  exitCode: number | null;
  stdout: string;
  made: Buffer | undefined;
}

const madeFile: Record<RealName, string | undefined> = { lua: undefined, sqlite3: 'shop.db', bzip2: 'text.bz2' };

function spawnIn(run: Run, command: readonly string[]): SpawnSyncReturns<string> {
  const [program = '', ...args] = command;
  const stdin = run.stdin === undefined ? 'ignore' : openSync(run.stdin, 'r');
  try {
    return spawnSync(program, args, {
      cwd: run.cwd,
      stdio: [stdin, 'pipe', 'pipe'],
      encoding: 'utf8',
      timeout: patienceMs,
      killSignal: 'SIGKILL',
      maxBuffer: 1 << 26,
    });
  } finally {
    if (typeof stdin === 'number') closeSync(stdin);
  }
}

function effects(name: RealName, run: Run, ended: SpawnSyncReturns<string>): Effects {
  const made = madeFile[name];
  const file = made === undefined ? undefined : path.join(run.cwd, made);
  return {
    exitCode: ended.status,
    stdout: ended.stdout,
    made: file !== undefined && existsSync(file) ? readFileSync(file) : undefined,
  };
}

/** Runs it as if we were not there. */
function runNatively(program: RealProgram): { tookMs: number; effects: Effects } {
  const run = freshRun(program.name, luaRounds);
  try {
    const beganMs = performance.now();
    const ended = spawnIn(run, [program.executable, ...run.args]);
    return { tookMs: performance.now() - beganMs, effects: effects(program.name, run, ended) };
  } finally {
    run.dispose();
  }
}

function verify(program: RealProgram, intervalMs: number): { report: ReportFile; effects: Effects } {
  const run = freshRun(program.name, luaRounds);
  const made = madeFile[program.name];
  let passed = false;
  try {
    const reportFile = path.join(run.cwd, 'report.json');
    const options = ['verify', '--interval', String(intervalMs), '--report', reportFile, '--', program.executable];
    const ended = spawnIn(run, [...adapterCommand().slice(0, -1), ...options, ...run.args]);
    const input = run.stdin === undefined ? '' : ` < ${run.stdin}`;
    const repeated = `cd ${run.cwd} &&${made ? ` rm -f ${made} &&` : ''} npx chronofork ${options.join(' ')}`;
    const said = `${ended.stderr.slice(-2000)}\nagain: ${repeated} ${run.args.join(' ')}${input}`;
    assert.equal(ended.signal, null, `${said}\nstill running after ${patienceMs / 1000} s`);
    assert.ok(existsSync(reportFile), said);
    const report = JSON.parse(readFileSync(reportFile, 'utf8')) as ReportFile;
    assert.deepEqual(report.diverged, [], said);
    assert.equal(ended.status, 0, said);
    passed = true;
    return { report, effects: effects(program.name, run, ended) };
  } finally {
    // What failed stays, to be looked at.
    if (passed) run.dispose();
  }
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

const rows: string[] = [];

function addRow(program: RealProgram, intervalMs: number, natives: number[], reports: ReportFile[]): void {
  const of = (value: (report: ReportFile) => number) => median(reports.map(value));
  const nativeMs = median(natives);
  const cells = [
    `${program.name} -${program.optimisation}`,
    intervalMs,
    reports.length,
    of(({ events }) => events),
    of(({ checkpoints }) => checkpoints),
    Math.round(nativeMs),
    (of(({ recordMs }) => recordMs) / nativeMs).toFixed(2),
    (of(({ replayMs, replays }) => replayMs / replays) / nativeMs).toFixed(2),
    (of(({ replayMs }) => replayMs) / nativeMs).toFixed(1),
    of(({ recordStops, events }) => recordStops / events).toFixed(2),
    reports.reduce((sum, { diverged }) => sum + diverged.length, 0),
  ];
  rows.push(`| ${cells.join(' | ')} |`);
}

describe('verify on real programs', function () {
  this.timeout(patienceMs * repeat * 2);

  for (const name of realNames) {
    for (const optimisation of optimisations) {
      describe(`${name} -${optimisation}`, function () {
        let program: RealProgram;
        before(async function () {
          this.timeout(patienceMs);
          program = await realProgramOrSkip(this, name, optimisation);
        });
        for (const intervalMs of intervalsMs) {
          it(`with checkpoints every ${intervalMs} ms, ${repeat} times`, function () {
            const natives: number[] = [];
            const reports: ReportFile[] = [];
            for (let round = 0; round < repeat; round++) {
              const alone = runNatively(program);
              assert.equal(alone.effects.exitCode, 0, `${program.executable} fails by itself`);
              const recorded = verify(program, intervalMs);
              assert.ok(recorded.report.checkpoints > 0 && recorded.report.events > 0, 'nothing was recorded');
              assert.ok(recorded.report.replays >= recorded.report.checkpoints, 'a checkpoint was not replayed');
              assert.equal(recorded.report.exitCode, 0);
              assert.equal(recorded.effects.stdout, alone.effects.stdout);
              assert.deepEqual(recorded.effects.made, alone.effects.made);
              natives.push(alone.tookMs);
              reports.push(recorded.report);
            }
            addRow(program, intervalMs, natives, reports);
          });
        }
      });
    }
  }

  after(() => {
    if (rows.length === 0) return;
    const head = [
      'program',
      'interval (ms)',
      'runs',
      'events',
      'checkpoints',
      'native (ms)',
      'recorded / native',
      'one replay / native',
      'all replays / native',
      'stops / event',
      'divergences',
    ];
    const lines = [`| ${head.join(' | ')} |`, `|${head.map(() => '---|').join('')}`, ...rows];
    writeFileSync(path.join(root, 'build/real/verify.md'), `${lines.join('\n')}\n`);
  });
});
