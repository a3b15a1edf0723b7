/**
 * Many threads with locks, condition variables, a queue, a semaphore and a
 * race: each run takes turns differently, and each must replay as it was, from
 * the start and from every kept checkpoint.
 *
 * `CHRONOFORK_RUNS=34 npx mocha test/cli/crowd.test.ts` does 34 runs of each size.
 */
import { equal, match } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ReportFile } from '../../debug-adapter/cli/verify.js';
import { program } from '../dsl/programs.js';
import { chronofork } from './chronofork.js';

const runs = Number(process.env.CHRONOFORK_RUNS ?? 2);
// Short and long between checkpoints; and one after every few events.
const ways = [
  ['--interval', '10'],
  ['--interval', '50'],
  ['--interval', '100', '--events', '150'],
];

describe('a crowd of threads', function () {
  let folder: string;
  before(() => (folder = mkdtempSync(path.join(tmpdir(), 'crowd-'))));
  after(() => rmSync(folder, { recursive: true }));

  for (const threads of [4, 16, 64]) {
    it(`${threads} threads replay as they ran, ${runs} times`, async function () {
      this.timeout(60_000 * runs);
      for (let run = 0; run < runs; run++) {
        const way = ways[run % ways.length]!;
        const file = path.join(folder, 'report.json');
        const { status, stdout, stderr } = await chronofork([
          'verify',
          ...way,
          '--replays',
          '6',
          '--report',
          file,
          '--',
          program('crowd.c').executable,
          String(threads),
        ]);
        equal(status, 0, `run ${run + 1} with ${way.join(' ')}: ${stderr}`);
        match(stdout, new RegExp(`^${threads} threads, ${Math.floor(threads / 2) * 40} handed over`));
        const report = JSON.parse(readFileSync(file, 'utf8')) as ReportFile;
        equal(report.threads, threads + 1);
        equal(report.exitCode, 0);
      }
    });
  }
});
