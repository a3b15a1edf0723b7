/**
 * How long Step Back takes, from the request to the stop: the first one at a
 * fresh place, and the next one from there.
 *
 * On a program of 512 MiB, ten seconds into its run; on Lua, built from Debian's
 * sources, at ordinary depth of calls; and on a small program, where the packets
 * that gdb and the core exchange are counted too. Each place is wherever the
 * program happened to be when it was paused: at one the step comes at once, at
 * the other a second later, as of a person who looks first.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { fetchDebianSource, SourceUnavailable } from '../scripts/fetch-debian-source.mjs';
import type { DapClient } from '../scripts/lib/dapClient.js';
import { root } from '../scripts/lib/run.mjs';
import {
  compile,
  elapsedMs,
  launch,
  lineOf,
  NotMeasurable,
  ownProgram,
  quantile,
  spread,
  temporaryFolder,
  type Figure,
  type Measured,
  type Series,
} from './measure.js';

// Between two places, so that they are different ones.
const betweenMs = 150;
// What a person looks for before pressing anything; meanwhile the first step is prepared.
const lookMs = 1000;
// Nobody waits longer; what takes longer is counted with this time.
const stepLimitMs = 20_000;

/** One Step Back: what it took, or the limit when it took longer. */
async function stepBack(client: DapClient, threadId: number): Promise<number> {
  return elapsedMs(async () => {
    await client.request('stepBack', { threadId });
    await client.take<DebugProtocol.StoppedEvent>('stopped', stepLimitMs);
  });
}

export async function firstThread(client: DapClient): Promise<number> {
  const { threads } = await client.request<DebugProtocol.ThreadsResponse['body']>('threads');
  return threads[0]?.id ?? 0;
}

interface Samples {
  /** At once after the stop. */
  firstMs: number[];
  /** After a look. */
  lookedMs: number[];
  /** The step after each of them, at once. */
  nextMs: number[];
  /** Steps that had not ended after the limit; each is among the others with the limit. */
  tooLong: number;
}

interface Places {
  count: number;
  /** Into the run, before the first of them. */
  afterMs: number;
}

/**
 * Stops at fresh places and steps back at each, until there are enough samples.
 * A step that takes too long is a sample too, and ends the session: the rest
 * is measured in another one.
 */
async function sample(program: string, args: string[], places: Places, samples: Samples): Promise<void> {
  const client = await launch({ program, args });
  /** False when it took too long. */
  const measure = async (into: number[], threadId: number) => {
    try {
      into.push(await stepBack(client, threadId));
      return true;
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('Waited')) throw error;
      into.push(stepLimitMs);
      samples.tooLong++;
      return false;
    }
  };
  try {
    const threadId = await firstThread(client);
    await sleep(places.afterMs);
    while (!isComplete(samples, places)) {
      await client.request('pause', { threadId });
      await client.take<DebugProtocol.StoppedEvent>('stopped');
      const looks = samples.lookedMs.length < samples.firstMs.length;
      if (looks) await sleep(lookMs);
      if (!(await measure(looks ? samples.lookedMs : samples.firstMs, threadId))) return;
      if (!(await measure(samples.nextMs, threadId))) return;
      await client.timeTravel('chronofork/seek', { to: 'end' });
      await client.take<DebugProtocol.StoppedEvent>('stopped');
      await client.request('continue', { threadId });
      await sleep(betweenMs);
    }
  } finally {
    await client.close();
  }
}

const isComplete = ({ firstMs, lookedMs }: Samples, { count }: Places) =>
  firstMs.length >= count && lookedMs.length >= count;

async function sampleAll(program: string, args: string[], places: Places): Promise<Samples> {
  const samples: Samples = { firstMs: [], lookedMs: [], nextMs: [], tooLong: 0 };
  while (!isComplete(samples, places)) await sample(program, args, places, samples);
  return samples;
}

/** For the plot: which part of the samples was below x ms. */
function distribution(samples: readonly number[]): { x: number; y: number }[] {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted.map((ms, index) => ({ x: ms, y: (100 * (index + 1)) / sorted.length }));
}

const slowNote = ({ tooLong }: Samples) =>
  tooLong > 0 ? `; ${tooLong} took more than ${stepLimitMs / 1000} s and count as that` : '';

export async function measureStepBack(isQuick: boolean): Promise<Measured> {
  const places = { count: isQuick ? 6 : 30, afterMs: 10_000 };
  const samples = await sampleAll(ownProgram('heap', ['-O0', '-g']), ['512', '16', '1000000000'], places);
  const how = `512 MiB, 16 MiB of it written; ${places.count} places from 10 s into the run on${slowNote(samples)}`;
  const first = spread(samples.firstMs);
  const figures: Figure[] = [
    {
      section: 'going back',
      name: 'Step Back, 512 MiB: median',
      ...first,
      unit: 'ms',
      aim: 50,
      peers: 'rr.soft 4–377 ms; gdb record full 0.5 ms inside its last 200,000 instructions',
      how,
    },
    {
      section: 'going back',
      name: 'Step Back, 512 MiB: 95th percentile',
      value: quantile(samples.firstMs, 0.95),
      unit: 'ms',
      aim: 200,
      how: 'the same',
    },
    {
      section: 'going back',
      name: 'Step Back after a second of looking, 512 MiB',
      ...spread(samples.lookedMs),
      unit: 'ms',
      aim: 50,
      how: 'at as many other places',
    },
    {
      section: 'going back',
      name: 'the next Step Back, 512 MiB',
      ...spread(samples.nextMs),
      unit: 'ms',
      aim: 10,
      how: 'right after each of them',
    },
  ];
  const series: Series = {
    'first, 512 MiB': distribution(samples.firstMs),
    'after a look, 512 MiB': distribution(samples.lookedMs),
    'next, 512 MiB': distribution(samples.nextMs),
  };
  return { figures, series };
}

async function buildLua(): Promise<string> {
  try {
    const source = await fetchDebianSource('lua5.4', path.join(root, 'build/third-party'));
    const folder = path.join(source, 'src');
    const files = readdirSync(folder).filter((file) => file.endsWith('.c') && file !== 'luac.c');
    const sources = files.map((file) => path.join(folder, file));
    return compile('lua', sources, ['-O0', '-g', '-DLUA_USE_POSIX'], ['-lm']);
  } catch (error) {
    if (error instanceof SourceUnavailable) throw new NotMeasurable(error.message);
    throw error;
  }
}

export async function measureLuaStepBack(isQuick: boolean): Promise<Measured> {
  const program = await buildLua();
  const places = { count: isQuick ? 5 : 20, afterMs: 1000 };
  const samples = await sampleAll(program, [path.join(root, 'bench/programs/sort_strings.lua')], places);
  const how = `Lua at -O0, ${places.count} places, 1 s into the run and later${slowNote(samples)}`;
  return {
    figures: [
      { section: 'going back', name: 'Step Back, Lua: median', ...spread(samples.firstMs), unit: 'ms', aim: 200, how },
      {
        section: 'going back',
        name: 'Step Back, Lua: 95th percentile',
        value: quantile(samples.firstMs, 0.95),
        unit: 'ms',
        how: 'the same',
      },
      {
        section: 'going back',
        name: 'Step Back after a second of looking, Lua',
        ...spread(samples.lookedMs),
        unit: 'ms',
        how: 'at as many other places',
      },
      {
        section: 'going back',
        name: 'the next Step Back, Lua',
        ...spread(samples.nextMs),
        unit: 'ms',
        aim: 50,
        how: 'right after each of them',
      },
    ],
    series: { 'first, Lua': distribution(samples.firstMs), 'next, Lua': distribution(samples.nextMs) },
  };
}

/** A small program from its end backwards: packets and milliseconds for each step. */
export async function measureSmallSteps(isQuick: boolean): Promise<Measured> {
  const program = ownProgram('steps', ['-O0', '-g']);
  const logFile = path.join(temporaryFolder(), 'packets.log');
  const env = { ...process.env, CHRONOFORK_LOG: 'rsp:debug', CHRONOFORK_LOG_FILE: logFile };
  const packetCount = () =>
    existsSync(logFile) ? (readFileSync(logFile, 'utf8').match(/ rsp debug: <- /g) ?? []).length : 0;
  const { source, line } = lineOf('steps', 'end');
  const client = await launch(
    { program },
    (dap) => dap.request('setBreakpoints', { source: { path: source }, breakpoints: [{ line }] }),
    env,
  );
  const tookMs: number[] = [];
  const packets: number[] = [];
  try {
    await client.take<DebugProtocol.StoppedEvent>('stopped');
    const threadId = await firstThread(client);
    for (let step = 0; step < (isQuick ? 15 : 60); step++) {
      const before = packetCount();
      tookMs.push(await stepBack(client, threadId));
      // As an editor does after each stop; those packets are its own wish, and not counted.
      packets.push(packetCount() - before);
      await client.request('stackTrace', { threadId });
    }
  } finally {
    await client.close();
  }
  const how = `${tookMs.length} steps back from the end, the log of packets switched on`;
  return {
    figures: [
      { section: 'going back', name: 'Step Back, small program', ...spread(tookMs), unit: 'ms', aim: 15, how },
      {
        section: 'going back',
        name: 'packets per Step Back, small program',
        ...spread(packets),
        unit: '',
        aim: 12,
        how: "gdb's requests to the core until the client hears of the stop",
      },
    ],
    series: { 'small program': distribution(tookMs) },
  };
}
