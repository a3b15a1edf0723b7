/**
 * `chronofork verify`: records a program, replays it from its start and from
 * every kept checkpoint (`--replays N`: from N of them, evenly spread), and compares.
 *
 * The core does the work; here are its options, its report as JSON and its
 * exit code: 0 all identical, 1 a divergence, 2 could not be recorded. A program
 * that was denied its threads is not what runs without us: that is 2 as well.
 *
 * `nativeMs` is null unless --native is given: that runs the program a second
 * time, with all its effects on the world, which nobody wants by surprise.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import type { VerifyReport } from '../core/core.js';
import { loadNativeCore } from '../core/nativeCore.js';
import { ChronoforkError, expectedError } from '../errors.js';
import { checkProgram } from '../launch/programCheck.js';

interface Options {
  intervalMs: number;
  intervalEvents: number;
  mostReplays: number;
  memoryMb: number;
  reportFile: string | undefined;
  native: boolean;
  program: string;
  args: string[];
}

export interface ReportFile extends Omit<VerifyReport, 'recorded'> {
  program: string;
  nativeMs: number | null;
}

type UsageErrorClass = new (message: string) => Error;

/** @throws UsageError */
export function parseVerifyOptions(given: string[], UsageError: UsageErrorClass): Options {
  const options: Options = {
    intervalMs: 100,
    intervalEvents: 0,
    mostReplays: 0,
    memoryMb: 0,
    reportFile: undefined,
    native: false,
    program: '',
    args: [],
  };
  const rest = [...given];
  const number = (name: string, value: string | undefined) => parseNumber(name, value, UsageError);
  for (let option = rest.shift(); option !== undefined; option = rest.shift()) {
    if (option === '--') break;
    const [name, attached] = option.startsWith('--') && option.includes('=') ? splitOnce(option) : [option, undefined];
    if (name === '--interval') options.intervalMs = number(name, attached ?? rest.shift());
    else if (name === '--events') options.intervalEvents = number(name, attached ?? rest.shift());
    else if (name === '--replays') options.mostReplays = number(name, attached ?? rest.shift());
    else if (name === '--memory') options.memoryMb = number(name, attached ?? rest.shift());
    else if (name === '--report') options.reportFile = attached ?? rest.shift();
    else if (name === '--native') options.native = true;
    else if (name?.startsWith('-')) throw new UsageError(`verify does not know ${name}`);
    else {
      rest.unshift(option);
      break;
    }
  }
  const program = rest.shift();
  if (!program) throw new UsageError('verify needs a program, after --');
  return { ...options, program, args: rest };
}

/** @throws UsageError */
export function parseNumber(name: string, value: string | undefined, UsageError: UsageErrorClass): number {
  if (!/^\d+(\.\d+)?$/.test(value ?? '')) throw new UsageError(`${name} needs a number`);
  return Number(value);
}

function splitOnce(option: string): [string, string] {
  const at = option.indexOf('=');
  return [option.slice(0, at), option.slice(at + 1)];
}

/** As a shell finds it: a name without a slash is looked for in PATH. */
export function findProgram(name: string): string {
  if (name.includes('/')) return resolve(name);
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const candidate = resolve(join(folder, name));
    if (isExecutableFile(candidate)) return candidate;
  }
  return resolve(name);
}

function isExecutableFile(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function environment(): string[] {
  return Object.entries(process.env)
    .filter(([name]) => !name.startsWith('CHRONOFORK_'))
    .map(([name, value]) => `${name}=${value ?? ''}`);
}

/** Milliseconds of an ordinary run, with the same input and output. */
function runNatively(program: string, args: string[]): Promise<number> {
  const began_ms = performance.now();
  return new Promise((done, fail) => {
    const child = spawn(program, args, { stdio: 'inherit' });
    child.on('error', fail);
    child.on('exit', () => done(performance.now() - began_ms));
  });
}

const notRecorded: Omit<VerifyReport, 'recorded' | 'error'> = {
  exitCode: null,
  signal: null,
  events: 0,
  checkpoints: 0,
  replays: 0,
  intervals: 0,
  threads: 0,
  diverged: [],
  notices: [],
  refusedCalls: 0,
  stoppedCalls: {},
  recordMs: 0,
  replayMs: 0,
  onePassMs: 0,
  recordStops: 0,
  replayStops: 0,
};

async function record(options: Options): Promise<VerifyReport> {
  try {
    checkProgram(options.program);
    return await loadNativeCore().verify({
      program: options.program,
      args: options.args,
      cwd: process.cwd(),
      env: environment(),
      stdio: [0, 1, 2],
      checkpointIntervalMs: options.intervalMs,
      checkpointIntervalEvents: options.intervalEvents,
      mostReplays: options.mostReplays,
      checkpointMemoryBytes: options.memoryMb * 1024 * 1024,
    });
  } catch (error) {
    const known =
      expectedError(error) ?? new ChronoforkError('internal', error instanceof Error ? error.message : String(error));
    return {
      ...notRecorded,
      recorded: false,
      error: { code: known.code, message: known.message, remedy: known.remedy },
    };
  }
}

function summary(report: VerifyReport): string {
  if (!report.recorded)
    return `could not be recorded: ${report.error?.message ?? 'unknown reason'} ${report.error?.remedy ?? ''}`.trim();
  const ended = report.signal ? `ended by ${report.signal}` : `exit code ${report.exitCode}`;
  const counts = `${report.events} events, ${report.checkpoints} checkpoints, ${report.replays} replays; ${ended}`;
  const verdict = report.diverged.length > 0 ? `${report.diverged.length} divergences` : 'identical';
  return `${verdict} (${counts})`;
}

// A program that diverges at once does so from every checkpoint; a few say enough.
const shownDivergences = 5;

/** All there is to tell a person, the verdict last. */
function lines(report: VerifyReport, again: string): string[] {
  const shown = report.diverged.slice(0, shownDivergences).map(({ moment, what }) => `diverged at ${moment}: ${what}`);
  const left = report.diverged.length - shown.length;
  if (left > 0) shown.push(`… and ${left} more`);
  if (shown.length > 0) shown.push(`to see it again, with all that is recorded and replayed:\n  ${again}`);
  return [...report.notices, ...shown, summary(report)];
}

const quote = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** A shell command that does the same once more, and logs it. */
function commandAgain(options: Options): string {
  const settings = [
    'CHRONOFORK_LOG=record:debug,signal:debug,replay:debug,match:debug',
    'CHRONOFORK_LOG_FILE=verify.log',
  ];
  const words = [process.execPath, ...process.execArgv, ...process.argv.slice(1, 2), 'verify'];
  words.push('--interval', String(options.intervalMs));
  if (options.intervalEvents > 0) words.push('--events', String(options.intervalEvents));
  if (options.mostReplays > 0) words.push('--replays', String(options.mostReplays));
  if (options.memoryMb > 0) words.push('--memory', String(options.memoryMb));
  words.push('--', options.program, ...options.args);
  return [`cd ${quote(process.cwd())} &&`, ...settings, ...words.map(quote), standardInput()].join(' ').trim();
}

/** `< FILE` where standard input is a file that has a name. */
function standardInput(): string {
  try {
    const file = readlinkSync('/proc/self/fd/0');
    return file.startsWith('/') && !file.startsWith('/dev/') && existsSync(file) ? `< ${quote(file)}` : '';
  } catch {
    return '';
  }
}

export async function verifyCommand(given: string[], UsageError: UsageErrorClass): Promise<number> {
  const options = parseVerifyOptions(given, UsageError);
  options.program = findProgram(options.program);
  const report = await record(options);
  const nativeMs = options.native && report.recorded ? await runNatively(options.program, options.args) : null;
  if (options.reportFile !== undefined) {
    const { recorded: _recorded, ...shown } = report;
    const file: ReportFile = { program: options.program, ...shown, nativeMs };
    writeFileSync(options.reportFile, `${JSON.stringify(file, null, 2)}\n`);
  }
  for (const line of lines(report, commandAgain(options))) process.stderr.write(`chronofork verify: ${line}\n`);
  if (!report.recorded) return 2;
  return report.diverged.length > 0 ? 1 : 0;
}
