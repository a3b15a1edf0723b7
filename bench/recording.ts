/**
 * What recording costs: of a program that only computes (the price of the
 * checkpoints), and of one that makes twenty thousand system calls.
 *
 * Both times come from one `chronofork verify`, which runs the program natively
 * and recorded, several times.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { buildFolder, cli, ownProgram, type Figure } from './measure.js';

// The quickest of each kind are compared: on a virtual machine single runs
// differ by a quarter, always upwards.
const runs = 7;

interface Report {
  nativeMs: number;
  recordMs: number;
  events: number;
  diverged: unknown[];
  recordStops: number;
}

function verify(program: string): Report {
  const reportFile = path.join(buildFolder, 'verify.json');
  const args = [cli, 'verify', '--native', '--interval', '100', '--report', reportFile, '--', program];
  const made = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (made.status !== 0)
    throw new Error(`verify of ${path.basename(program)} ended with ${made.status}: ${made.stderr}`);
  return JSON.parse(readFileSync(reportFile, 'utf8')) as Report;
}

export function measureRecording(): Promise<Figure[]> {
  const computing = ownProgram('cpu_bound');
  const reports = Array.from({ length: runs }, () => verify(computing));
  const quickest = (times: number[]) => Math.min(...times);
  const ratio = quickest(reports.map(({ recordMs }) => recordMs)) / quickest(reports.map(({ nativeMs }) => nativeMs));
  const calls = verify(ownProgram('many_calls'));
  const figures: Figure[] = [
    {
      name: 'recorded / native, computing',
      value: ratio,
      unit: '×',
      aim: 1.05,
      how: `the quickest of ${runs} runs each`,
    },
    {
      name: 'recorded system call',
      value: (1000 * (calls.recordMs - calls.nativeMs)) / calls.events,
      unit: 'µs',
      how: `${calls.events} events`,
    },
    {
      name: 'stops per recorded system call',
      value: calls.recordStops / calls.events,
      unit: '',
      how: `${calls.recordStops} stops`,
    },
  ];
  return Promise.resolve(figures);
}
