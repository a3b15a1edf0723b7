/**
 * What recording and replaying cost, as a ratio to the native run.
 *
 * Native and recorded runs alternate, and each pair is one sample: a virtual
 * machine's speed changes within seconds, and so both have the same weather.
 * `chronofork verify` records, replays every interval once and compares the
 * memory at each checkpoint; a divergence makes the benchmark a broken one.
 */
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { buildFolder, cli, mustRun, NotMeasurable, run, spread, type Figure, type Measured } from './measure.js';
import { recipes, type Workload } from './workloads.js';

const mostPairs = 7;
const fewestPairs = 3;
// No more pairs are begun after this; a program that is slow to record is measured less often.
const patienceMs = 40_000;
const quick = { share: 0.15, pairs: 2, patienceMs: 8_000 };
// Shorter than this, a native run is mostly the start of a process: it is repeated within a sample.
const shortestNativeMs = 400;
const mostNativeRuns = 8;

interface Report {
  recordMs: number;
  onePassMs: number;
  events: number;
  checkpoints: number;
  diverged: { moment: string; what: string }[];
  recordStops: number;
}

interface Sample {
  nativeMs: number;
  report: Report;
}

async function record(workload: Workload, reportFile: string): Promise<Report> {
  rmSync(reportFile, { force: true });
  workload.prepare?.();
  const args = [cli, 'verify', '--replays', '1', '--report', reportFile, '--', workload.program, ...workload.args];
  const made = await run(process.execPath, args, { input: workload.input, silent: true });
  if (made.status === 1) throw new Error(`${workload.name} DIVERGED: ${made.stderr.slice(0, 500)}`);
  if (made.status !== 0) throw new Error(`${workload.name} could not be recorded (${made.status}): ${made.stderr}`);
  return JSON.parse(readFileSync(reportFile, 'utf8')) as Report;
}

/** The native time, of as many runs as it takes to be more than the start of a process. */
async function runNatively(workload: Workload): Promise<number> {
  const took: number[] = [];
  for (let sum = 0; took.length === 0 || (sum < shortestNativeMs && took.length < mostNativeRuns);) {
    workload.prepare?.();
    const { ms } = await mustRun(workload.program, workload.args, { input: workload.input, silent: true });
    took.push(ms);
    sum += ms;
  }
  return spread(took).value;
}

async function sample(workload: Workload, isQuick: boolean): Promise<Sample[]> {
  const samples: Sample[] = [];
  const began = performance.now();
  const reportFile = path.join(buildFolder, 'verify.json');
  const [pairs, patience] = isQuick ? [quick.pairs, quick.patienceMs] : [mostPairs, patienceMs];
  await runNatively(workload); // files into the cache
  while (samples.length < pairs) {
    const spent = performance.now() - began;
    if (spent > patience && samples.length >= (isQuick ? 1 : fewestPairs)) break;
    const nativeMs = await runNatively(workload);
    samples.push({ nativeMs, report: await record(workload, reportFile) });
  }
  return samples;
}

function figuresOf(workload: Workload, samples: Sample[]): Figure[] {
  const { events, checkpoints, recordStops } = samples[0]!.report;
  const native = spread(samples.map(({ nativeMs }) => nativeMs)).value;
  const how = `${workload.about}; ${samples.length} pairs, native ${native.toFixed(0)} ms, ${events} events, ${checkpoints} checkpoints`;
  const figures: Figure[] = [
    {
      section: 'recording',
      name: `recorded / native, ${workload.name}`,
      ...spread(samples.map(({ nativeMs, report }) => report.recordMs / nativeMs)),
      unit: '×',
      aim: workload.aims.recorded,
      peers: workload.peers,
      how,
    },
    {
      section: 'replay',
      name: `replay / native, ${workload.name}`,
      ...spread(samples.map(({ nativeMs, report }) => report.onePassMs / nativeMs)),
      unit: '×',
      aim: workload.aims.replay,
      how: 'each interval between two checkpoints once, and its memory compared',
    },
  ];
  if (events > 100_000)
    figures.push({
      section: 'recording',
      name: `stops per event, ${workload.name}`,
      value: recordStops / events,
      unit: '',
      how: `${recordStops} ptrace stops`,
    });
  return figures;
}

export async function measureRecording(isQuick: boolean, only: readonly string[] = []): Promise<Measured> {
  const figures: Figure[] = [];
  const missing: string[] = [];
  for (const recipe of recipes) {
    if (only.length > 0 && !only.includes(recipe.name)) continue;
    try {
      const workload = await recipe.make(isQuick ? quick.share : 1);
      figures.push(...figuresOf(workload, await sample(workload, isQuick)));
    } catch (error) {
      if (!(error instanceof NotMeasurable)) throw error;
      missing.push(error.message);
    }
  }
  if (figures.length === 0) throw new NotMeasurable(missing.join(' '));
  for (const message of missing) console.log(`not measured: ${message}`);
  return { figures };
}
