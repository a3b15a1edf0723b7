/** Suites run beside each other, but never before what they need and never beside one that measures. */
import { deepEqual, ok, rejects } from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { runAll } from '../../../scripts/lib/schedule.mjs';

interface Job {
  name: string;
  after: string[];
  alone?: boolean;
}

/** Runs the jobs and returns, for each, which others ran when it began. */
async function record(jobs: Job[], atOnce: number): Promise<Map<string, string[]>> {
  const running = new Set<string>();
  const beside = new Map<string, string[]>();
  await runAll(jobs, atOnce, async ({ name }) => {
    for (const other of running) beside.get(other)?.push(name);
    beside.set(name, [...running]);
    running.add(name);
    await sleep(5);
    running.delete(name);
  });
  return beside;
}

describe('runAll', () => {
  it('runs no more jobs at once than allowed', async () => {
    const jobs = ['a', 'b', 'c', 'd'].map((name) => ({ name, after: [] }));
    const beside = await record(jobs, 2);
    deepEqual([...beside.keys()].sort(), ['a', 'b', 'c', 'd']);
    deepEqual(beside.get('a'), ['b']);
  });

  it('begins a job only after those that it names', async () => {
    const beside = await record(
      [
        { name: 'late', after: ['early'] },
        { name: 'early', after: [] },
      ],
      2,
    );
    deepEqual([...beside.keys()], ['early', 'late']);
    deepEqual(beside.get('late'), []);
  });

  it('runs a job that wants to be alone, alone', async () => {
    const jobs: Job[] = [
      { name: 'a', after: [] },
      { name: 'measure', after: [], alone: true },
      { name: 'b', after: [] },
      { name: 'c', after: [] },
    ];
    const beside = await record(jobs, 2);
    deepEqual(beside.get('measure'), []);
    ok(beside.get('b')?.includes('c'));
  });

  it('counts a job that is not there as done', async () => {
    const beside = await record([{ name: 'a', after: ['left out'] }], 1);
    deepEqual([...beside.keys()], ['a']);
  });

  it('says so when jobs wait for each other', async () => {
    const circle = [
      { name: 'a', after: ['b'] },
      { name: 'b', after: ['a'] },
    ];
    await rejects(
      runAll(circle, 2, () => Promise.resolve()),
      /Circle/,
    );
  });
});
