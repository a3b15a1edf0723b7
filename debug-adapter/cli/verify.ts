/**
 * `chronofork verify`: records a program, replays it from its start and from
 * every kept checkpoint, and compares.
 *
 * The core does the work; here are its options, its report as JSON and its
 * exit code: 0 all identical, 1 a divergence, 2 could not be recorded.
 *
 * `nativeMs` is null unless --native is given: that runs the program a second
 * time, with all its effects on the world, which nobody wants by surprise.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import type { VerifyReport } from '../core/core.js';
import { loadNativeCore } from '../core/nativeCore.js';
import { ChronoforkError, expectedError } from '../errors.js';
import { checkProgram } from '../launch/programCheck.js';

interface Options {
  intervalMs: number;
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
    memoryMb: 0,
    reportFile: undefined,
    native: false,
    program: '',
    args: [],
  };
  const rest = [...given];
  const number = (name: string, value: string | undefined) => {
    if (!/^\d+(\.\d+)?$/.test(value ?? '')) throw new UsageError(`${name} needs a number`);
    return Number(value);
  };
  for (let option = rest.shift(); option !== undefined; option = rest.shift()) {
    if (option === '--') break;
    const [name, attached] = option.startsWith('--') && option.includes('=') ? splitOnce(option) : [option, undefined];
    if (name === '--interval') options.intervalMs = number(name, attached ?? rest.shift());
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

function splitOnce(option: string): [string, string] {
  const at = option.indexOf('=');
  return [option.slice(0, at), option.slice(at + 1)];
}

/** As a shell finds it: a name without a slash is looked for in PATH. */
function findProgram(name: string): string {
  if (name.includes('/')) return resolve(name);
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    try {
      const candidate = resolve(join(folder, name));
      checkProgram(candidate);
      return candidate;
    } catch {
      continue;
    }
  }
  return resolve(name);
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
  diverged: [],
  recordMs: 0,
  replayMs: 0,
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
  const counts = `${report.events} events, ${report.checkpoints} checkpoints, ${report.replays} replays`;
  const first = report.diverged[0];
  if (first)
    return `${report.diverged.length} divergences (${counts}; ${ended}); the first at ${first.moment}: ${first.what}`;
  return `identical (${counts}; ${ended})`;
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
  process.stderr.write(`chronofork verify: ${summary(report)}\n`);
  if (!report.recorded) return 2;
  return report.diverged.length > 0 ? 1 : 0;
}
