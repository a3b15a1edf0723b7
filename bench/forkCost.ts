/**
 * What a checkpoint costs beside a bare fork() of the same process, of 512 MiB:
 * the program measures its own fork, stops, and we make checkpoints of it.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { root } from '../scripts/lib/run.mjs';
import { elapsedMs, launch, markedLine, ownProgram, quantile, type Figure } from './measure.js';

// As many as the program makes forks.
const rounds = 11;

const source = path.join(root, 'bench/programs/fork_cost.c');

export async function measureForkCost(): Promise<Figure[]> {
  const program = ownProgram('fork_cost', ['-O0', '-g']);
  const line = markedLine(readFileSync(source, 'utf8'), 'measured');
  // No periodic checkpoints: only those that are measured.
  const client = await launch({ program, checkpoints: { intervalMs: 0 } }, (starting) =>
    starting.request('setBreakpoints', { source: { path: source }, breakpoints: [{ line }] }),
  );
  try {
    const { threadId } = await client.take<DebugProtocol.StoppedEvent>('stopped');
    const stack = await client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', { threadId, levels: 1 });
    const frameId = stack.stackFrames[0]?.id;
    const asked = { expression: 'bare_fork_ms', frameId, context: 'watch' };
    const answer = await client.request<DebugProtocol.EvaluateResponse['body']>('evaluate', asked);
    const bareMs = Number(answer.result);
    if (!(bareMs > 0)) throw new Error(`The program's own fork took "${answer.result}" ms.`);
    const tookMs: number[] = [];
    for (let i = 0; i < rounds; i++) {
      let id = -1;
      const create = async () => {
        id = (await client.timeTravel('chronofork/checkpoint', { action: 'create' })).checkpoint?.id ?? -1;
      };
      tookMs.push(await elapsedMs(create));
      await client.timeTravel('chronofork/checkpoint', { action: 'delete', id });
    }
    const ours = quantile(tookMs, 0.5);
    return [
      { name: 'fork() of 512 MiB', value: bareMs, unit: 'ms', how: 'median, by the program itself' },
      { name: 'checkpoint of 512 MiB', value: ours, unit: 'ms', how: `median of ${rounds}, through the DAP` },
      { name: 'checkpoint / fork()', value: ours / bareMs, unit: '×', aim: 1.3, how: 'the two above' },
    ];
  } finally {
    await client.close();
  }
}
