/**
 * How long Step Back takes on Lua, from the request to the stop: the first one
 * at a fresh place, and the next one from there. Also how many packets gdb and
 * the core exchange for it.
 *
 * Lua is built from Debian's source package; each place is wherever the program
 * happened to be when it was paused, one second into the run and later.
 */
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { fetchDebianSource } from '../scripts/fetch-debian-source.mjs';
import type { DapClient } from '../scripts/lib/dapClient.js';
import { root } from '../scripts/lib/run.mjs';
import { buildFolder, compile, elapsedMs, launch, quantile, type Figure } from './measure.js';

// Enough for a 95th percentile that is not just the worst one.
const places = 20;
// Between two places, so that they are different ones.
const betweenMs = 150;
// Nobody waits longer; what takes longer is counted with this time.
const stepLimitMs = 20_000;

export async function buildLua(): Promise<string> {
  const source = await fetchDebianSource('lua5.4', path.join(root, 'build/third-party'));
  const folder = path.join(source, 'src');
  const files = readdirSync(folder).filter((file) => file.endsWith('.c') && file !== 'luac.c');
  const sources = files.map((file) => path.join(folder, file));
  return compile('lua', sources, ['-O0', '-g', '-DLUA_USE_POSIX'], ['-lm']);
}

/** One Step Back: what it took, or the limit when it took longer. */
async function stepBack(client: DapClient, threadId: number): Promise<number> {
  return elapsedMs(async () => {
    await client.request('stepBack', { threadId });
    await client.take<DebugProtocol.StoppedEvent>('stopped', stepLimitMs);
  });
}

interface Samples {
  firstMs: number[];
  nextMs: number[];
  packets: number[];
  /** Steps that had not ended after the limit; each is in firstMs or nextMs with the limit. */
  tooLong: number;
}

/**
 * Stops at fresh places and steps back at each, until there are enough samples.
 * A step that takes too long is a sample too, and ends the session: the rest
 * is measured in another one.
 */
async function sample(program: string, samples: Samples): Promise<void> {
  const logFile = path.join(buildFolder, 'packets.log');
  rmSync(logFile, { force: true });
  const env = { ...process.env, CHRONOFORK_LOG: 'rsp:debug', CHRONOFORK_LOG_FILE: logFile };
  const script = path.join(root, 'bench/programs/sort_strings.lua');
  const client = await launch({ program, args: [script] }, undefined, env);
  const packetCount = () => (readFileSync(logFile, 'utf8').match(/ rsp debug: <- /g) ?? []).length;
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
    const { threads } = await client.request<DebugProtocol.ThreadsResponse['body']>('threads');
    const threadId = threads[0]?.id ?? 0;
    await sleep(1000);
    while (samples.firstMs.length < places) {
      await client.request('pause', { threadId });
      await client.take<DebugProtocol.StoppedEvent>('stopped');
      if (!(await measure(samples.firstMs, threadId))) return;
      const before = packetCount();
      if (!(await measure(samples.nextMs, threadId))) return;
      samples.packets.push(packetCount() - before);
      await client.timeTravel('chronofork/seek', { to: 'end' });
      await client.take<DebugProtocol.StoppedEvent>('stopped');
      await client.request('continue', { threadId });
      await sleep(betweenMs);
    }
  } finally {
    await client.close();
  }
}

export async function measureStepBack(): Promise<Figure[]> {
  const program = await buildLua();
  const samples: Samples = { firstMs: [], nextMs: [], packets: [], tooLong: 0 };
  while (samples.firstMs.length < places) await sample(program, samples);
  const slow = samples.tooLong > 0 ? `; ${samples.tooLong} took more than ${stepLimitMs / 1000} s` : '';
  const how = `Lua, ${places} places, 1 s into the run and later${slow}`;
  return [
    { name: 'Step Back, median', value: quantile(samples.firstMs, 0.5), unit: 'ms', aim: 200, how },
    { name: 'Step Back, 95th percentile', value: quantile(samples.firstMs, 0.95), unit: 'ms', how },
    { name: 'the next Step Back, median', value: quantile(samples.nextMs, 0.5), unit: 'ms', aim: 50, how },
    {
      name: 'packets per Step Back',
      value: quantile(samples.packets, 0.5),
      unit: '',
      how: "gdb's requests, the next one's",
    },
  ];
}
