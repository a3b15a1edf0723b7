/**
 * Figures as people read them: the verdict beside an aim, the tables of
 * docs/performance.md, and its plots in docs/performance/.
 *
 * The page's prose is written by hand; what is between `<!-- bench:NAME -->` and
 * `<!-- /bench -->` is written here.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../scripts/lib/run.mjs';
import type { Figure, Section, Series } from './measure.js';
import type { Results } from './run.js';
import { barPlot, linePlot, type Bar } from './svg.js';

const page = path.join(root, 'docs/performance.md');
const plotFolder = path.join(root, 'docs/performance');

const sections: Record<Section, string> = {
  session: 'Starting',
  recording: 'Recording',
  replay: 'Replaying',
  checkpoints: 'Checkpoints',
  'going back': 'Going back',
  searching: 'Searching the past',
  other: 'Other',
};

export function shown(value: number): string {
  if (value >= 100_000)
    return value.toPrecision(2).includes('e') ? Math.round(value).toLocaleString('en-US') : String(value);
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

export function verdict({ aim, unit, value }: Figure): string {
  if (aim === undefined) return '';
  return `aim ≤ ${aim} ${unit}`.trimEnd() + (value <= aim ? ', met' : ', MISSED');
}

function row(figure: Figure): string {
  const { name, value, min, max, unit, aim, peers, how } = figure;
  const range = min === undefined || max === undefined ? '' : `${shown(min)} – ${shown(max)}`;
  const result = aim === undefined ? '' : value <= aim ? 'met' : '**missed**';
  const cells = [
    name,
    `${shown(value)} ${unit}`.trim(),
    range,
    aim === undefined ? '' : `≤ ${aim}`,
    result,
    peers ?? '',
    how,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function tables(results: Results): string {
  const figures = results.outcomes.flatMap((outcome) => outcome.figures);
  const parts: string[] = [];
  for (const [section, heading] of Object.entries(sections)) {
    const own = figures.filter((figure) => figure.section === section);
    if (own.length === 0) continue;
    parts.push(
      `### ${heading}`,
      '',
      '| | median | least – greatest | aim | | others | how |',
      '|---|---|---|---|---|---|---|',
    );
    parts.push(...own.map(row), '');
  }
  return parts.join('\n').trimEnd();
}

/** Aims in a line, and what was not measured, or when nobody else was to use the machine but somebody did. */
function summary(results: Results): string {
  const aimed = results.outcomes.flatMap(({ figures }) => figures).filter(({ aim }) => aim !== undefined);
  const missed = aimed.filter(({ aim, value }) => value > (aim ?? 0));
  const lines = [`Of ${aimed.length} aims ${aimed.length - missed.length} are met and ${missed.length} missed.`];
  for (const { benchmark, missing, broken } of results.outcomes) {
    if (missing !== undefined) lines.push(`Not measured (\`${benchmark}\`): ${missing}`);
    if (broken !== undefined) lines.push(`Broken (\`${benchmark}\`): ${broken}`);
  }
  const quick = results.outcomes.filter((outcome) => outcome.quick).map(({ benchmark }) => benchmark);
  if (quick.length > 0) lines.push(`Measured with \`--quick\`, and rougher than the others: ${quick.join(', ')}.`);
  const days = [...new Set(results.outcomes.map(({ at }) => at.slice(0, 10)))].sort();
  const { processor, memory, kernel, gdb, node } = results.machine;
  lines.push(`Measured on ${days.join(', ')}: ${processor}, ${memory}, Linux ${kernel}, ${gdb}, node ${node}.`);
  return lines.join('\n\n');
}

function recordingBars(results: Results): Bar[] {
  const prefix = 'recorded / native, ';
  return results.outcomes
    .filter(({ benchmark }) => benchmark === 'recording')
    .flatMap(({ figures }) => figures)
    .filter(({ name }) => name.startsWith(prefix))
    .map(({ name, value, min, max, aim }) => ({ label: name.slice(prefix.length), value, min, max, aim }));
}

function seriesOf(results: Results, ...benchmarks: string[]): Series {
  const chosen = results.outcomes.filter(({ benchmark }) => benchmarks.includes(benchmark));
  return Object.assign({}, ...chosen.map(({ series }) => series ?? {})) as Series;
}

/** The plots for which there are figures, by their file's name. */
function plots(results: Results): Record<string, { title: string; svg: string }> {
  const made: Record<string, { title: string; svg: string }> = {};
  const bars = recordingBars(results);
  if (bars.length > 0) {
    const title = 'Recorded / native, and the aims';
    const label = 'times the native run (logarithmic); the thin line is least to greatest, the mark is the aim';
    const svg = barPlot({ title, axis: { label, logarithmic: true, from: 0.8 }, bars });
    made['recording.svg'] = { title, svg };
  }
  const lines = (file: string, plot: Omit<Parameters<typeof linePlot>[0], 'series'>, ...benchmarks: string[]) => {
    const series = seriesOf(results, ...benchmarks);
    if (Object.keys(series).length > 0) made[file] = { title: plot.title, svg: linePlot({ ...plot, series }) };
  };
  lines(
    'checkpoint-memory.svg',
    {
      title: 'A checkpoint by resident memory',
      x: { label: 'resident memory, MiB', from: 0 },
      y: { label: 'milliseconds', from: 0 },
    },
    'fork',
  );
  lines(
    'checkpoint-writes.svg',
    {
      title: 'Checkpoints by what the program writes (512 MiB)',
      x: { label: 'MiB that are written all the time (logarithmic)', logarithmic: true },
      y: { label: 'recorded / native', from: 1 },
    },
    'writes',
  );
  lines(
    'step-back.svg',
    {
      title: 'Step Back: how many are done after …',
      x: { label: 'milliseconds from the request to the stop (logarithmic)', logarithmic: true },
      y: { label: '% of the steps', from: 0, to: 100 },
    },
    'stepBack',
    'lua',
    'steps',
  );
  return made;
}

function replacePart(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- bench:${name} -->`, '<!-- /bench -->'];
  const start = text.indexOf(begin);
  const stop = text.indexOf(end, start);
  if (start < 0 || stop < 0) throw new Error(`${page} has no place for ${name}: ${begin} … ${end}`);
  return `${text.slice(0, start + begin.length)}\n\n${content}\n\n${text.slice(stop)}`;
}

/** Writes the tables into docs/performance.md, and the plots beside it; returns the files. */
export function writeDocs(results: Results): string[] {
  let text = readFileSync(page, 'utf8');
  text = replacePart(text, 'summary', summary(results));
  text = replacePart(text, 'tables', tables(results));
  mkdirSync(plotFolder, { recursive: true });
  const made = Object.entries(plots(results));
  const files = made.map(([name, { svg }]) => {
    writeFileSync(path.join(plotFolder, name), svg);
    return path.join('docs/performance', name);
  });
  const images = made.map(([name, { title }]) => `![${title}](performance/${name})`);
  writeFileSync(page, replacePart(text, 'plots', images.join('\n\n')));
  return ['docs/performance.md', ...files];
}
