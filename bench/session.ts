/**
 * What starting a session costs, on an empty program; and what the last
 * `npm run package` and `npm test` left behind.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { findCommand } from '../scripts/lib/requirements.mjs';
import { root } from '../scripts/lib/run.mjs';
import {
  cli,
  elapsedMs,
  launch,
  mustRun,
  NotMeasurable,
  ownProgram,
  spread,
  temporaryFolder,
  type Figure,
  type Measured,
} from './measure.js';

export async function measureStart(isQuick: boolean): Promise<Measured> {
  const program = ownProgram('nothing');
  const count = isQuick ? 5 : 20;
  const reportFile = path.join(temporaryFolder(), 'verify.json');
  const coreMs: number[] = [];
  const sessionMs: number[] = [];
  const nodeMs: number[] = [];
  const gdbMs: number[] = [];
  const gdb = findCommand('gdb');
  for (let i = 0; i < count; i++) {
    await mustRun(process.execPath, [cli, 'verify', '--report', reportFile, '--', program]);
    coreMs.push((JSON.parse(readFileSync(reportFile, 'utf8')) as { recordMs: number }).recordMs);
    sessionMs.push(await sessionOf(program));
    nodeMs.push((await mustRun(process.execPath, ['-e', '0'])).ms);
    if (gdb) gdbMs.push((await mustRun(gdb, ['-nx', '-batch', '-ex', 'starti', program])).ms);
  }
  const parts = `node alone ${spread(nodeMs).value.toFixed(0)} ms${gdbMs.length > 0 ? `, gdb to the first instruction ${spread(gdbMs).value.toFixed(0)} ms` : ''}`;
  return {
    figures: [
      {
        section: 'session',
        name: 'start-up: recording an empty program from its start to its end',
        ...spread(coreMs),
        unit: 'ms',
        aim: 100,
        peers: 'rr.soft 108 ms',
        how: 'in the core, without node and gdb',
      },
      {
        section: 'session',
        name: 'start-up: a whole session, from the start of the adapter to the end of the program',
        ...spread(sessionMs),
        unit: 'ms',
        aim: 100,
        how: `over the DAP; of it ${parts}`,
      },
    ],
  };
}

/** From the start of the adapter's process until the program has come to its end. */
async function sessionOf(program: string): Promise<number> {
  let close: (() => Promise<void>) | undefined;
  const ms = await elapsedMs(async () => {
    const client = await launch({ program });
    close = () => client.close();
    await client.take<DebugProtocol.StoppedEvent>('stopped');
  });
  await close?.();
  return ms;
}

export function measureArtefacts(): Promise<Measured> {
  const figures: Figure[] = [];
  const vsix = path.join(root, 'build/chronofork-linux-x64.vsix');
  if (existsSync(vsix))
    figures.push({
      section: 'other',
      name: 'size of the VSIX',
      value: statSync(vsix).size / 1e6,
      unit: 'MB',
      how: 'npm run package',
    });
  const summary = path.join(root, 'test-results/summary.json');
  if (existsSync(summary)) {
    const { seconds } = JSON.parse(readFileSync(summary, 'utf8')) as { seconds: number };
    figures.push({ section: 'other', name: 'npm test', value: seconds, unit: 's', how: 'the last whole run' });
  }
  if (figures.length === 0) return Promise.reject(new NotMeasurable('Neither a VSIX nor results of tests are here.'));
  return Promise.resolve({ figures });
}
