/**
 * What the benchmarks share: building programs, running others, statistics, and
 * the shape of a figure. Figures are ratios or times of one and the same run,
 * because the machine is a different one every time.
 *
 * Easy to get wrong: a benchmark may be interrupted at any time, also by
 * `kill -9`. So whatever is started here dies with us: by a handler where there
 * is time for one, else because its parent is gone (`setpriv --pdeathsig`), or
 * its standard input (the adapter).
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DapClient } from '../scripts/lib/dapClient.js';
import { findCommand } from '../scripts/lib/requirements.mjs';
import { root } from '../scripts/lib/run.mjs';

export type Section = 'recording' | 'replay' | 'checkpoints' | 'going back' | 'searching' | 'session' | 'other';

export interface Figure {
  section: Section;
  name: string;
  /** The median where there are several samples. */
  value: number;
  min?: number;
  max?: number;
  unit: string;
  /** What we want it to be at most; figures without one are for the record. */
  aim?: number;
  /** What others need for the same, in words; measured in this run, or said where it was. */
  peers?: string;
  /** How it was measured, in a few words. */
  how: string;
}

/** Points for a plot: x and y in the units that the plot names. */
export type Series = Record<string, { x: number; y: number }[]>;

export interface Measured {
  figures: Figure[];
  series?: Series;
}

/** Something that cannot be measured here; says why, and is no failure of ours. */
export class NotMeasurable extends Error {}

export const buildFolder = path.join(root, 'build/bench');
export const cli = path.join(root, 'dist/cli.cjs');

/**
 * Compiles a program of bench/programs, or other sources, into build/bench.
 * @throws Error with the compiler's output
 */
export function compile(name: string, sources: string[], flags: string[], libraries: string[] = []): string {
  mkdirSync(buildFolder, { recursive: true });
  const program = path.join(buildFolder, name);
  const made = spawnSync('gcc', [...flags, '-o', program, ...sources, ...libraries], { cwd: root, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`${name} could not be built:\n${made.stderr}`);
  return program;
}

export function ownProgram(name: string, flags = ['-O2', '-g', '-pthread']): string {
  return compile(name, [path.join('bench/programs', `${name}.c`)], flags);
}

/** The number of the line with the mark `//@ NAME` in a program of bench/programs. */
export function lineOf(name: string, mark: string): { source: string; line: number } {
  const source = path.join(root, 'bench/programs', `${name}.c`);
  const index = readFileSync(source, 'utf8')
    .split('\n')
    .findIndex((line) => line.trimEnd().endsWith(`//@ ${mark}`));
  if (index < 0) throw new Error(`${source} has no mark ${mark}.`);
  return { source, line: index + 1 };
}

/** The value below which the given part of the samples lies; 0.5 is the median. */
export function quantile(samples: readonly number[], part: number): number {
  if (samples.length === 0) throw new Error('Nothing was measured: each try took longer than anybody waits.');
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1))] ?? NaN;
}

/** Median, least and greatest of the samples, as a figure has them. */
export function spread(samples: readonly number[]): { value: number; min: number; max: number } {
  return { value: quantile(samples, 0.5), min: Math.min(...samples), max: Math.max(...samples) };
}

export async function elapsedMs(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

// -- Processes that die with us ---------------------------------------------------------

const running = new Set<ChildProcess>();
const folders = new Set<string>();

function endEverything(): void {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** Makes an interruption end what was started; called once, by bench/run.ts. */
export function endWithUs(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => {
      endEverything();
      process.exit(130);
    });
  process.once('exit', endEverything);
}

/** A fresh folder that goes when the benchmark ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'chronofork-bench-'));
  folders.add(folder);
  return folder;
}

const setpriv = findCommand('setpriv');

export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
  ms: number;
}

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** A file for standard input; none: /dev/null. */
  input?: string;
  /** Its standard output goes to /dev/null. */
  silent?: boolean;
  limitMs?: number;
}

/**
 * Runs a program to its end; never throws for what the program does.
 * `ms` is wall clock, with the start of the process.
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const input = openSync(options.input ?? '/dev/null', 'r');
  const [program, words] = setpriv ? [setpriv, ['--pdeathsig', 'SIGKILL', command, ...args]] : [command, [...args]];
  const began = performance.now();
  const child = spawn(program, words, {
    cwd: options.cwd ?? root,
    env: options.env ?? process.env,
    stdio: [input, options.silent ? 'ignore' : 'pipe', 'pipe'],
  });
  running.add(child);
  closeSync(input);
  const limit = setTimeout(() => child.kill('SIGKILL'), options.limitMs ?? 600_000);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr?.on('data', (data: Buffer) => (stderr += data.toString()));
  let ms = 0;
  child.once('exit', () => (ms = performance.now() - began));
  const status = await new Promise<number | null>((done) => {
    child.once('error', (error) => {
      stderr += error.message;
      done(127);
    });
    child.once('close', (code) => done(code));
  });
  clearTimeout(limit);
  running.delete(child);
  return { status, stdout, stderr, ms };
}

/** As run(), for what must succeed. @throws Error with what it printed */
export async function mustRun(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const ran = await run(command, args, options);
  if (ran.status !== 0)
    throw new Error(`${path.basename(command)} ${args.join(' ')} ended with ${ran.status}: ${ran.stderr.slice(-2000)}`);
  return ran;
}

// -- Sessions ------------------------------------------------------------------------------

/** Starts the adapter and launches a program with it; resolves when it runs. */
export async function launch(
  args: Record<string, unknown>,
  configure: (client: DapClient) => Promise<unknown> = () => Promise.resolve(),
  env: NodeJS.ProcessEnv = process.env,
): Promise<DapClient> {
  const client = new DapClient([process.execPath, cli, 'dap'], env);
  try {
    await client.request('initialize', {
      adapterID: 'chronofork',
      linesStartAt1: true,
      columnsStartAt1: true,
      pathFormat: 'path',
    });
    const launched = client.request('launch', { cwd: root, args: [], ...args });
    const refused = new Promise<never>((_, reject) => launched.catch(reject));
    await Promise.race([client.take('initialized'), refused]);
    await configure(client);
    await client.request('configurationDone');
    await launched;
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}
