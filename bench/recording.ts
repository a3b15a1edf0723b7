/**
 * What recording costs: of a program that only computes (the price of the
 * checkpoints), and of one that makes twenty thousand system calls.
 *
 * Both times come from one `chronofork verify`, which runs the program natively
 * and recorded; the median of several such ratios is the figure.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { buildFolder, cli, ownProgram, quantile, type Figure } from './measure.js';

// Odd, so that the median is one of the runs; single runs differ by some percent.
const runs = 3;

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
  const ratios = Array.from({ length: runs }, () => verify(computing)).map(
    (report) => report.recordMs / report.nativeMs,
  );
  const calls = verify(ownProgram('many_calls'));
  const figures: Figure[] = [
    {
      name: 'recorded / native, computing',
      value: quantile(ratios, 0.5),
      unit: '×',
      aim: 1.05,
      how: `median of ${runs} runs of verify`,
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
