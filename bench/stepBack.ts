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

export async function buildLua(): Promise<string> {
  const source = await fetchDebianSource('lua5.4', path.join(root, 'build/third-party'));
  const folder = path.join(source, 'src');
  const files = readdirSync(folder).filter((file) => file.endsWith('.c') && file !== 'luac.c');
  const sources = files.map((file) => path.join(folder, file));
  return compile('lua', sources, ['-O0', '-g', '-DLUA_USE_POSIX'], ['-lm']);
}

async function stepBack(client: DapClient, threadId: number): Promise<number> {
  return elapsedMs(async () => {
    await client.request('stepBack', { threadId });
    await client.take<DebugProtocol.StoppedEvent>('stopped');
  });
}

export async function measureStepBack(): Promise<Figure[]> {
  const program = await buildLua();
  const logFile = path.join(buildFolder, 'packets.log');
  rmSync(logFile, { force: true });
  const env = { ...process.env, CHRONOFORK_LOG: 'rsp:debug', CHRONOFORK_LOG_FILE: logFile };
  const script = path.join(root, 'bench/programs/sort_strings.lua');
  const client = await launch({ program, args: [script] }, undefined, env);
  const firstMs: number[] = [];
  const nextMs: number[] = [];
  const packets: number[] = [];
  const packetCount = () => (readFileSync(logFile, 'utf8').match(/ rsp debug: <- /g) ?? []).length;
  try {
    const { threads } = await client.request<DebugProtocol.ThreadsResponse['body']>('threads');
    const threadId = threads[0]?.id ?? 0;
    await sleep(1000);
    for (let place = 0; place < places; place++) {
      await client.request('pause', { threadId });
      await client.take<DebugProtocol.StoppedEvent>('stopped');
      firstMs.push(await stepBack(client, threadId));
      const before = packetCount();
      nextMs.push(await stepBack(client, threadId));
      packets.push(packetCount() - before);
      await client.timeTravel('chronofork/seek', { to: 'end' });
      await client.take<DebugProtocol.StoppedEvent>('stopped');
      await client.request('continue', { threadId });
      await sleep(betweenMs);
    }
  } finally {
    await client.close();
  }
  const how = `Lua, ${places} places, 1 s into the run and later`;
  return [
    { name: 'Step Back, median', value: quantile(firstMs, 0.5), unit: 'ms', aim: 200, how },
    { name: 'Step Back, 95th percentile', value: quantile(firstMs, 0.95), unit: 'ms', how },
    { name: 'the next Step Back, median', value: quantile(nextMs, 0.5), unit: 'ms', aim: 50, how },
    { name: 'packets per Step Back', value: quantile(packets, 0.5), unit: '', how: "gdb's requests, the next one's" },
  ];
}
