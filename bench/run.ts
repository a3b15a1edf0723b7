/**
 * `npm run bench`: measures what we promise, prints it beside the aims, and
 * keeps it in build/bench/figures.json.
 *
 *     npm run bench                        everything: half an hour
 *     npm run bench -- --quick             the same with less of everything: some minutes, and rougher
 *     npm run bench -- stepBack memory     some of them; the others keep their last figures
 *     npm run bench -- recording --only cpu,gzip
 *     npm run bench -- --docs              and writes the table and plots of docs/performance.md
 *     npm run bench -- --docs-only         only these, from the last figures
 *
 * A benchmark that cannot be made here (no sources of Lua) says why; missing an
 * aim is no failure of the run, a benchmark that breaks is. It may be interrupted
 * at any time: figures are kept after each benchmark, and nothing runs on.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import path from 'node:path';
import { measureForkCost, measureMemory, measureWriteRate } from './checkpoints.js';
import { buildFolder, endWithUs, NotMeasurable, type Figure, type Measured } from './measure.js';
import { measurePeers } from './peers.js';
import { measureRecording } from './recording.js';
import { shown, verdict, writeDocs } from './report.js';
import { measureHitCounts, measureSearching } from './searching.js';
import { measureArtefacts, measureStart } from './session.js';
import { measureLuaStepBack, measureSmallSteps, measureStepBack } from './stepBack.js';

type Benchmark = (isQuick: boolean, only: readonly string[]) => Promise<Measured>;

const benchmarks: Record<string, Benchmark> = {
  recording: measureRecording,
  start: measureStart,
  fork: measureForkCost,
  writes: measureWriteRate,
  memory: measureMemory,
  stepBack: measureStepBack,
  lua: measureLuaStepBack,
  steps: measureSmallSteps,
  searching: measureSearching,
  hitCounts: measureHitCounts,
  peers: measurePeers,
  artefacts: measureArtefacts,
};

/** What one benchmark came to, and under which circumstances. */
export interface Outcome extends Measured {
  benchmark: string;
  at: string;
  quick: boolean;
  /** Of the run before it: with another's work on the machine, times mean little. */
  load: number;
  missing?: string;
  broken?: string;
}

export interface Results {
  machine: Record<string, string>;
  outcomes: Outcome[];
}

const resultsFile = path.join(buildFolder, 'figures.json');

function machine(): Record<string, string> {
  const gdb = execFileSync('gdb', ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? '';
  return {
    processor: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
    memory: `${Math.round(totalmem() / (1 << 30))} GiB`,
    kernel: release(),
    gdb,
    node: process.version,
  };
}

function readResults(): Results {
  const kept = existsSync(resultsFile) ? (JSON.parse(readFileSync(resultsFile, 'utf8')) as Results) : undefined;
  return { machine: machine(), outcomes: Array.isArray(kept?.outcomes) ? kept.outcomes : [] };
}

/** Replaces what is known of one benchmark, at its place. */
function keep(results: Results, outcome: Outcome): void {
  const order = Object.keys(benchmarks);
  results.outcomes = [...results.outcomes.filter(({ benchmark }) => benchmark !== outcome.benchmark), outcome].sort(
    (a, b) => order.indexOf(a.benchmark) - order.indexOf(b.benchmark),
  );
  writeFileSync(resultsFile, JSON.stringify(results, null, 2) + '\n');
}

function show(figure: Figure): void {
  const { min, max, unit, name, how } = figure;
  const range = min === undefined || max === undefined ? '' : `${shown(min)} … ${shown(max)}`;
  console.log(
    `${name}\n    ${`${shown(figure.value)} ${unit}`.padEnd(14)} ${range.padEnd(18)} ${verdict(figure).padEnd(22)} ${how}`,
  );
}

async function measure(name: string, isQuick: boolean, only: readonly string[]): Promise<Outcome> {
  const load = Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]);
  const outcome: Outcome = { benchmark: name, at: new Date().toISOString(), quick: isQuick, load, figures: [] };
  try {
    Object.assign(outcome, await benchmarks[name]!(isQuick, only));
    for (const figure of outcome.figures) show(figure);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof NotMeasurable) {
      outcome.missing = message;
      console.log(`${name}: not measured. ${message}`);
    } else {
      outcome.broken = message;
      console.error(`${name}: BROKEN. ${message}`);
    }
  }
  return outcome;
}

interface Options {
  names: string[];
  quick: boolean;
  only: string[];
  docs: boolean;
  docsOnly: boolean;
}

/** @throws Error with what is not understood */
function parse(given: readonly string[]): Options {
  const options: Options = { names: [], quick: false, only: [], docs: false, docsOnly: false };
  const rest = [...given];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--quick') options.quick = true;
    else if (word === '--only') options.only = (rest.shift() ?? '').split(',');
    else if (word === '--docs') options.docs = true;
    else if (word === '--docs-only') options.docs = options.docsOnly = true;
    else if (word in benchmarks) options.names.push(word);
    else throw new Error(`There is no benchmark ${word}; there are ${Object.keys(benchmarks).join(', ')}.`);
  }
  return options;
}

async function main(given: readonly string[]): Promise<number> {
  const options = parse(given);
  mkdirSync(buildFolder, { recursive: true });
  endWithUs();
  const results = readResults();
  let broken = 0;
  for (const name of options.docsOnly ? [] : Object.keys(benchmarks)) {
    if (options.names.length > 0 && !options.names.includes(name)) continue;
    const outcome = await measure(name, options.quick, options.only);
    if (outcome.broken !== undefined) broken++;
    keep(results, outcome);
  }
  const figures = results.outcomes.flatMap((outcome) => outcome.figures);
  const aimed = figures.filter(({ aim }) => aim !== undefined);
  const met = aimed.filter(({ aim, value }) => value <= (aim ?? 0)).length;
  console.log(`\n${figures.length} figures; of ${aimed.length} aims ${met} met, ${aimed.length - met} missed.`);
  if (options.docs) console.log(`written: ${writeDocs(results).join(', ')}`);
  return broken > 0 ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
