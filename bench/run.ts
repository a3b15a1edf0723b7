/**
 * `npm run bench`: measures what we promise, prints it beside the aims, and
 * keeps it in build/bench/figures.json.
 *
 *     npm run bench [-- NAME…]    recording, fork, stepBack, artefacts
 *
 * A benchmark that cannot be made here (no sources of Lua) says why; missing an
 * aim is no failure of the run, a benchmark that breaks is.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SourceUnavailable } from '../scripts/fetch-debian-source.mjs';
import { measureArtefacts } from './artefacts.js';
import { measureForkCost } from './forkCost.js';
import { buildFolder, type Figure } from './measure.js';
import { measureRecording } from './recording.js';
import { measureStepBack } from './stepBack.js';

const benchmarks: Record<string, () => Promise<Figure[]>> = {
  recording: measureRecording,
  fork: measureForkCost,
  stepBack: measureStepBack,
  artefacts: measureArtefacts,
};

function show({ name, value, unit, aim, how }: Figure): void {
  const verdict = aim === undefined ? '' : `aim ≤ ${aim} ${unit}${value <= aim ? '' : ', MISSED'}`;
  const shown = value >= 100 ? value.toFixed(0) : value.toPrecision(3);
  console.log(`${name.padEnd(32)} ${`${shown} ${unit}`.padStart(12)}   ${verdict.padEnd(24)} ${how}`);
}

async function main(names: string[]): Promise<number> {
  const unknown = names.filter((name) => !(name in benchmarks));
  if (unknown.length > 0) {
    console.error(`There is no benchmark ${unknown.join(', ')}; there are ${Object.keys(benchmarks).join(', ')}.`);
    return 1;
  }
  mkdirSync(buildFolder, { recursive: true });
  const figures: Figure[] = [];
  let broken = 0;
  for (const [name, measure] of Object.entries(benchmarks)) {
    if (names.length > 0 && !names.includes(name)) continue;
    try {
      const measured = await measure();
      for (const figure of measured) show(figure);
      figures.push(...measured);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (error instanceof SourceUnavailable) {
        console.log(`${name}: not measured. ${message}`);
      } else {
        console.error(`${name}: BROKEN. ${message}`);
        broken++;
      }
    }
  }
  writeFileSync(path.join(buildFolder, 'figures.json'), JSON.stringify(figures, null, 2) + '\n');
  return broken > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
