/**
 * Searching ten seconds of the past: the last of a million hits, a condition
 * that is false a million times, the last write to a variable, hit counts.
 *
 * A search that does not end within the limit is a figure too: the limit, and
 * said so. The session it was made in is given up, and the rest measured in
 * another.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { DapClient } from '../scripts/lib/dapClient.js';
import {
  buildFolder,
  compile,
  elapsedMs,
  launch,
  lineOf,
  mustRun,
  NotMeasurable,
  ownProgram,
  spread,
  type Figure,
  type Measured,
} from './measure.js';
import { firstThread } from './stepBack.js';

const limitMs = 110_000;
const historySeconds = (isQuick: boolean) => (isQuick ? 2 : 10);
const hitCount = (isQuick: boolean) => (isQuick ? 100_000 : 1_000_000);

type Stopped = DebugProtocol.StoppedEvent;

/** How much work is so many seconds of native time, found with a little of it. */
async function unitsFor(seconds: number, program: string, argsFor: (units: number) => string[]): Promise<number> {
  const trial = 200;
  await mustRun(program, argsFor(1), { silent: true });
  const { ms } = await mustRun(program, argsFor(trial), { silent: true });
  return Math.max(1, Math.round((trial * seconds * 1000) / ms));
}

interface History {
  program: string;
  args: string[];
  hits: number;
  /** Native time of the whole program. */
  nativeMs: number;
}

async function makeHistory(isQuick: boolean): Promise<History> {
  // Computed with optimisation, but for the lines that are searched for.
  const program = ownProgram('history', ['-O1', '-g']);
  const hits = hitCount(isQuick);
  const units = await unitsFor(historySeconds(isQuick), program, (millions) => ['1', String(millions)]);
  const args = [String(hits), String(units)];
  const { ms } = await mustRun(program, args, { silent: true });
  return { program, args, hits, nativeMs: ms };
}

async function breakAt(client: DapClient, places: { mark: string; condition?: string }[]): Promise<void> {
  const { source } = lineOf('history', 'hit');
  const breakpoints = places.map(({ mark, condition }) => ({ line: lineOf('history', mark).line, condition }));
  await client.request('setBreakpoints', { source: { path: source }, breakpoints });
}

/** Runs the history to a mark, does one thing, and ends the session. */
async function at<T>(history: History, mark: string, act: (client: DapClient, threadId: number) => Promise<T>) {
  const { program, args } = history;
  const client = await launch({ program, args }, (dap) => breakAt(dap, [{ mark }]));
  try {
    await client.take<Stopped>('stopped');
    return await act(client, await firstThread(client));
  } finally {
    await client.close();
  }
}

interface Timed {
  ms: number;
  /** The variables' value where it arrived, to see that it is the right place. */
  value: string;
}

/** `undefined` when it takes longer than anybody waits. */
async function timed(
  client: DapClient,
  threadId: number,
  expression: string,
  go: () => Promise<unknown>,
): Promise<Timed | undefined> {
  let ms: number;
  try {
    ms = await elapsedMs(async () => {
      await go();
      await client.take<Stopped>('stopped', limitMs);
    });
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('Waited')) return undefined;
    throw error;
  }
  const { stackFrames } = await client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', {
    threadId,
    levels: 1,
  });
  const { result } = await client.request<DebugProtocol.EvaluateResponse['body']>('evaluate', {
    expression,
    frameId: stackFrames[0]?.id,
    context: 'watch',
  });
  return { ms, value: result };
}

function expectValue(what: string, found: Timed | undefined, value: number): void {
  if (found !== undefined && found.value !== String(value))
    throw new Error(`${what} arrived at ${found.value}, not at ${value}.`);
}

interface Search {
  name: string;
  aim: number;
  peers?: string;
  how: string;
  once: () => Promise<Timed | undefined>;
}

async function figureOf(search: Search, times: number): Promise<Figure> {
  const tookMs: number[] = [];
  let note = '';
  for (let i = 0; i < times; i++) {
    const found = await search.once();
    tookMs.push(found?.ms ?? limitMs);
    if (found) continue;
    note = `; not ended after ${limitMs / 1000} s, and given up`;
    break;
  }
  const { name, aim, peers, how } = search;
  return { section: 'searching', name, ...spread(tookMs), unit: 'ms', aim, peers, how: how + note };
}

export async function measureSearching(isQuick: boolean): Promise<Measured> {
  const history = await makeHistory(isQuick);
  const { hits, nativeMs } = history;
  const falseHits = `${hits.toLocaleString('en-US')} hits`;
  const searches: Search[] = [
    {
      name: `Reverse Continue to the last of ${falseHits}, ${historySeconds(isQuick)} s back`,
      aim: Math.round(1.5 * nativeMs + 200),
      how: `the aim: 1.5 × the native time of what is searched (${nativeMs.toFixed(0)} ms), and 200 ms`,
      once: () =>
        at(history, 'end', async (client, threadId) => {
          await breakAt(client, [{ mark: 'hit' }]);
          const found = await timed(client, threadId, 'i', () => client.request('reverseContinue', { threadId }));
          expectValue('Reverse Continue', found, hits - 1);
          return found;
        }),
    },
    {
      name: `conditional breakpoint, ${falseHits}, all but the last false: forwards in the past`,
      aim: 1000,
      how: 'Continue from the beginning of the recording',
      once: () =>
        at(history, 'after-hits', async (client, threadId) => {
          await client.timeTravel('chronofork/seek', { to: 'begin' });
          await client.take<Stopped>('stopped');
          await breakAt(client, [{ mark: 'hit', condition: `i == ${hits - 1}` }]);
          const found = await timed(client, threadId, 'i', () => client.request('continue', { threadId }));
          expectValue('The condition', found, hits - 1);
          return found;
        }),
    },
    {
      name: `conditional breakpoint, ${falseHits}, all but the first false: backwards`,
      aim: 1000,
      how: 'Reverse Continue from behind the last of them',
      once: () =>
        at(history, 'after-hits', async (client, threadId) => {
          await breakAt(client, [{ mark: 'hit', condition: 'i == 0' }]);
          const found = await timed(client, threadId, 'i', () => client.request('reverseContinue', { threadId }));
          expectValue('The condition', found, 0);
          return found;
        }),
    },
    {
      name: `last write to a variable, ${historySeconds(isQuick)} s back`,
      aim: 1000,
      peers: 'rr.soft 2.6 s for 1.5 s of history',
      how: 'written once, near the beginning; asked for at the end',
      once: () =>
        at(history, 'end', async (client, threadId) => {
          const found = await timed(client, threadId, 'guilty', () =>
            client.timeTravel('chronofork/lastWrite', { expression: 'guilty' }),
          );
          // It stops before the instruction that writes.
          expectValue('The last write', found, 0);
          return found;
        }),
    },
  ];
  const figures: Figure[] = [];
  for (const search of searches) figures.push(await figureOf(search, isQuick ? 1 : 3));
  return { figures };
}

// -- Hit counts -------------------------------------------------------------------------------

const lines = 2000;
const linesOfAFunction = 10;
const roundsOfAUnit = 100;
// Behind two includes and the head of the function.
const firstLineOfPart = 4;

/** A program of 2,000 lines, each of which is executed again and again. */
function manyLines(): { source: string; program: string } {
  mkdirSync(buildFolder, { recursive: true });
  const source = path.join(buildFolder, 'many_lines.c');
  const count = lines / linesOfAFunction - 2;
  const text = ['#include <stdio.h>', '#include <stdlib.h>'];
  for (let f = 0; f < count; f++) {
    text.push(`static unsigned long part${f}(unsigned long x) {`);
    for (let i = 0; i < linesOfAFunction - 4; i++) text.push(`  x = x * ${2 * (f + i) + 3}u + ${i};`);
    text.push(`  if (x % 3 == 0)`, `    x += ${f};`, '  return x;', '}');
  }
  text.push(
    'int main(int argc, char **argv) {',
    '  unsigned long x = 1;',
    '  long rounds = argc > 1 ? atol(argv[1]) : 1;',
  );
  text.push(`  for (long i = 0; i < rounds * ${roundsOfAUnit}; i++) {`);
  for (let f = 0; f < count; f++) text.push(`    x = part${f}(x);`);
  text.push('  }', '  printf("%lu\\n", x);', '  return 0;', '}');
  writeFileSync(source, text.join('\n') + '\n');
  return { source, program: compile('many_lines', [source], ['-O0', '-g']) };
}

export async function measureHitCounts(isQuick: boolean): Promise<Measured> {
  const { source, program } = manyLines();
  const units = await unitsFor(historySeconds(isQuick), program, (rounds) => [String(rounds)]);
  const args = [String(units)];
  const { ms: nativeMs } = await mustRun(program, args, { silent: true });
  const client = await launch({ program, args });
  try {
    await client.take<Stopped>('stopped');
    let counted: readonly { line: number; count: number }[] = [];
    const tookMs = await elapsedMs(async () => {
      try {
        const args = { source: { path: source }, count: lines };
        const body = await client.request<{ lines: typeof counted }>('chronofork/hitCounts', args);
        counted = body.lines;
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        if (/does not know the request/.test(text))
          throw new NotMeasurable('This version has no chronofork/hitCounts.');
        throw error;
      }
    });
    // Each line that multiplies is executed in every round of the loop.
    const hits = new Map(counted.map(({ line, count }) => [line, count]));
    const first = hits.get(firstLineOfPart);
    if (first !== units * roundsOfAUnit)
      throw new Error(`Line ${firstLineOfPart} was hit ${units * roundsOfAUnit} times; hitCounts says ${first}.`);
    return {
      figures: [
        {
          section: 'searching',
          name: `hit counts of a file of ${lines.toLocaleString('en-US')} lines / native`,
          value: tookMs / nativeMs,
          unit: '×',
          aim: 3,
          how: `${(nativeMs / 1000).toFixed(1)} s of history, every line hit all the time; ${tookMs.toFixed(0)} ms`,
        },
      ],
    };
  } finally {
    await client.close();
  }
}
