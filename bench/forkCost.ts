/**
 * What a checkpoint costs beside a bare fork() of the same process, of 512 MiB.
 *
 * The program measures its own fork, natively (traced, a fork costs more) and
 * prints it; under Chronofork it then computes on, and the core's log says what
 * each periodic checkpoint of it took, with all that belongs to one.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildFolder, launch, ownProgram, quantile, type Figure } from './measure.js';

// Enough for a median; with one every 100 ms it takes a second or two.
const wanted = 11;
const limitMs = 60_000;

export async function measureForkCost(): Promise<Figure[]> {
  const program = ownProgram('fork_cost');
  const native = spawnSync(program, { encoding: 'utf8' });
  const bareMs = Number(/fork: ([\d.]+) ms/.exec(native.stdout)?.[1]);
  if (!(bareMs > 0)) throw new Error(`The program says "${native.stdout.trim()}", not what its own fork took.`);
  const tookMs = await checkpointCosts(program);
  const ours = quantile(tookMs, 0.5);
  return [
    { name: 'fork() of 512 MiB', value: bareMs, unit: 'ms', how: 'median, by the program itself' },
    { name: 'checkpoint of 512 MiB', value: ours, unit: 'ms', how: `median of ${tookMs.length}, by the core's log` },
    { name: 'checkpoint / fork()', value: ours / bareMs, unit: '×', aim: 1.3, how: 'the two above' },
  ];
}

/** What the periodic checkpoints after the program's own forks took. */
async function checkpointCosts(program: string): Promise<number[]> {
  const logFile = path.join(buildFolder, 'checkpoints.log');
  rmSync(logFile, { force: true });
  const env = { ...process.env, CHRONOFORK_LOG: 'timeline:info', CHRONOFORK_LOG_FILE: logFile };
  const costs = () => {
    const log = existsSync(logFile) ? readFileSync(logFile, 'utf8') : '';
    return [...log.matchAll(/checkpoint \d+ \(interval\).* ([\d.]+) ms$/gm)].map(([, ms]) => Number(ms));
  };
  let before: number | undefined;
  const client = await launch({ program, args: ['10000000000'] }, undefined, env);
  client.onOutput = (text) => {
    if (text.includes('fork: ')) before = costs().length;
  };
  try {
    const started = performance.now();
    while (before === undefined || costs().length < before + wanted) {
      if (performance.now() - started > limitMs) throw new Error(`Too few checkpoints in ${limitMs / 1000} s.`);
      await sleep(100);
    }
    return costs().slice(before);
  } finally {
    await client.close();
  }
}
