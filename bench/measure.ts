/**
 * What the benchmarks share: building programs, statistics, and the shape of a
 * figure. Figures are ratios or times of one and the same run, because the
 * machine is a different one every time.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { DapClient } from '../scripts/lib/dapClient.js';
import { root } from '../scripts/lib/run.mjs';

export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** What we want it to be at most; figures without one are for the record. */
  aim?: number;
  /** How it was measured, in a few words. */
  how: string;
}

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

export function ownProgram(name: string, flags = ['-O2', '-g']): string {
  return compile(name, [path.join('bench/programs', `${name}.c`)], flags);
}

/** The value below which the given part of the samples lies; 0.5 is the median. */
export function quantile(samples: readonly number[], part: number): number {
  if (samples.length === 0) throw new Error('There are no samples.');
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? NaN;
}

export async function elapsedMs(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

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
