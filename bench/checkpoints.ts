/**
 * What a checkpoint costs: time beside a bare fork() of the same process, by
 * resident memory; time by write rate, as a ratio to the native run; memory.
 *
 * The program measures its own fork, natively (traced, a fork costs more) and
 * prints it; under Chronofork it then computes on, and the core's log says what
 * each periodic checkpoint of it took, with all that belongs to one.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { DapClient } from '../scripts/lib/dapClient.js';
import {
  launch,
  mustRun,
  ownProgram,
  run,
  spread,
  cli,
  temporaryFolder,
  type Figure,
  type Measured,
  type Series,
} from './measure.js';

// Enough for a median; with one every 100 ms it takes a second or two.
const checkpointsForAMedian = 11;
const limitMs = 90_000;
// The size that the aims are about.
const usualMib = 512;

export async function measureForkCost(isQuick: boolean): Promise<Measured> {
  const program = ownProgram('fork_cost');
  const series: Series = { 'bare fork()': [], 'a checkpoint': [] };
  const figures: Figure[] = [];
  for (const mib of isQuick ? [usualMib] : [16, 64, 256, usualMib, 1024]) {
    const bareMs: number[] = [];
    const tookMs: number[] = [];
    // Twice in turn: a virtual machine's speed changes within seconds.
    for (let round = 0; round < (isQuick ? 1 : 2); round++) {
      const native = await mustRun(program, [String(mib)]);
      const forkMs = Number(/fork: ([\d.]+) ms/.exec(native.stdout)?.[1]);
      if (!(forkMs > 0)) throw new Error(`The program says "${native.stdout.trim()}", not what its own fork took.`);
      bareMs.push(forkMs);
      tookMs.push(...(await checkpointCosts(program, mib)));
    }
    const bare = spread(bareMs);
    const ours = spread(tookMs);
    series['bare fork()']!.push({ x: mib, y: bare.value });
    series['a checkpoint']!.push({ x: mib, y: ours.value });
    if (mib !== usualMib) continue;
    figures.push(
      {
        section: 'checkpoints',
        name: 'fork() of 512 MiB',
        ...bare,
        unit: 'ms',
        how: 'median of 11, by the program itself',
      },
      {
        section: 'checkpoints',
        name: 'a checkpoint of 512 MiB',
        ...ours,
        unit: 'ms',
        how: `${tookMs.length} of them, by the core's log: written pages listed, fork, descriptors, retention`,
      },
      {
        section: 'checkpoints',
        name: 'checkpoint / fork(), 512 MiB',
        value: ours.value / bare.value,
        unit: '×',
        aim: 1.2,
        how: 'the two above',
      },
    );
  }
  return { figures, series: isQuick ? {} : series };
}

/** What the periodic checkpoints after the program's own forks took. */
async function checkpointCosts(program: string, mib: number): Promise<number[]> {
  const logFile = path.join(temporaryFolder(), 'checkpoints.log');
  const env = { ...process.env, CHRONOFORK_LOG: 'timeline:info', CHRONOFORK_LOG_FILE: logFile };
  const costs = () => {
    const log = existsSync(logFile) ? readFileSync(logFile, 'utf8') : '';
    return [...log.matchAll(/checkpoint \d+ \(interval\).* ([\d.]+) ms$/gm)].map(([, ms]) => Number(ms));
  };
  let before: number | undefined;
  const client = await launch({ program, args: [String(mib), '1000000000000'] }, undefined, env);
  client.onOutput = (text) => {
    if (text.includes('fork: ')) before = costs().length;
  };
  try {
    const started = performance.now();
    while (before === undefined || costs().length < before + checkpointsForAMedian) {
      if (performance.now() - started > limitMs) throw new Error(`Too few checkpoints in ${limitMs / 1000} s.`);
      await sleep(100);
    }
    return costs().slice(before);
  } finally {
    await client.close();
  }
}

/**
 * Recorded/native by the size of what is written all the time, of 512 MiB, with
 * the spacing of checkpoints that Chronofork chooses.
 */
export async function measureWriteRate(isQuick: boolean): Promise<Measured> {
  const program = ownProgram('heap');
  const series: Series = { 'spacing as chosen': [] };
  const figures: Figure[] = [];
  for (const workingMib of isQuick ? [16] : [1, 4, 16, 64, 128]) {
    // The same work in all of them: two seconds of arithmetic.
    const rounds = String(Math.max(1, Math.round((isQuick ? 5_000 : 18_000) / workingMib)));
    const args = [String(usualMib), String(workingMib), rounds];
    const chosen: number[] = [];
    let counts = '';
    for (let round = 0; round < (isQuick ? 1 : 3); round++) {
      const native = await mustRun(program, args, { silent: true });
      const first = await recordMs(program, args);
      chosen.push(first.recordMs / native.ms);
      counts = `${first.checkpoints} checkpoints; native ${native.ms.toFixed(0)} ms`;
    }
    series['spacing as chosen']!.push({ x: workingMib, y: spread(chosen).value });
    if (workingMib !== 16) continue;
    figures.push({
      section: 'checkpoints',
      name: 'recorded / native, 512 MiB, 16 MiB written all the time',
      ...spread(chosen),
      unit: '×',
      aim: 1.25,
      how: `a checkpoint every 100 ms, or less often beyond 5 % of the run time; ${counts}`,
    });
  }
  return { figures, series: isQuick ? {} : series };
}

interface Recorded {
  recordMs: number;
  checkpoints: number;
}

async function recordMs(program: string, args: string[]): Promise<Recorded> {
  const reportFile = path.join(temporaryFolder(), 'verify.json');
  const words = [cli, 'verify', '--replays', '1', '--report', reportFile, '--', program, ...args];
  const made = await run(process.execPath, words, { silent: true });
  if (made.status !== 0)
    throw new Error(`verify of ${path.basename(program)} ended with ${made.status}: ${made.stderr}`);
  return JSON.parse(readFileSync(reportFile, 'utf8')) as Recorded;
}

// -- Memory ---------------------------------------------------------------------------------

const wantedCheckpoints = 100;
const memoryLimitMs = 240_000;
const settleMs = 300;

/** What the kernel has handed out, but for caches: pages, page tables, stacks and objects of processes. */
function usedBytes(): number {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return 1024 * ['AnonPages', 'PageTables', 'KernelStack', 'SUnreclaim'].reduce((sum, name) => sum + kib(name), 0);
}

/** The adapter's processes named so: the live program and its copies. */
function copiesOf(program: string): number[] {
  const name = path.basename(program);
  const own = `(${name})`;
  const found: number[] = [];
  for (const entry of readdirSync('/proc').filter((text) => /^\d+$/.test(text))) {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]);
      const parentsParent = readFileSync(`/proc/${parent}/stat`, 'utf8');
      const grandparent = Number(parentsParent.slice(parentsParent.lastIndexOf(')') + 4).split(' ')[0]);
      if (stat.includes(own) && grandparent === process.pid) found.push(Number(entry));
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

function pageTableBytes(pid: number): number {
  return 1024 * Number(/^VmPTE:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

/**
 * A hundred checkpoints of 512 MiB: what deleting them gives back to the
 * machine, beside the written pages that they keep and their page tables.
 */
export async function measureMemory(isQuick: boolean): Promise<Measured> {
  const wanted = isQuick ? 20 : wantedCheckpoints;
  const program = ownProgram('heap');
  const client = await launch({
    program,
    args: ['512', '4', '1000000000'],
    checkpoints: { intervalMs: 100, memoryMb: 8192 },
  });
  try {
    const checkpoints = await pausedWith(client, wanted);
    const pids = copiesOf(program);
    if (pids.length < wanted) throw new Error(`There are ${pids.length} processes, not ${wanted} checkpoints.`);
    const tables = pids.map(pageTableBytes).sort((a, b) => a - b);
    // The latest but the last: while the heap was filled, pages were new, and no former contents kept.
    const doomed = checkpoints.slice(-1 - wanted, -1);
    // As the core counts them, it adds 64 KiB for the process itself.
    const writtenBytes = doomed.reduce((sum, { privateBytes }) => sum + privateBytes - 65536, 0);
    await sleep(settleMs);
    const before = usedBytes();
    for (const { id } of doomed) await client.timeTravel('chronofork/checkpoint', { action: 'delete', id });
    await sleep(settleMs);
    const freed = before - usedBytes();
    const tableBytes = (tables[Math.floor(tables.length / 2)] ?? 0) * doomed.length;
    const mib = (bytes: number) => (bytes / (1 << 20)).toFixed(0);
    return {
      figures: [
        {
          section: 'checkpoints',
          name: `memory of ${doomed.length} checkpoints of 512 MiB / (written pages + page tables)`,
          value: freed / (writtenBytes + tableBytes),
          unit: '×',
          aim: 1.2,
          how: `${mib(freed)} MiB given back when deleted; ${mib(writtenBytes)} MiB of pages, ${mib(tableBytes)} MiB of tables`,
        },
      ],
    };
  } finally {
    await client.close();
  }
}

async function pausedWith(client: DapClient, wanted: number) {
  const started = performance.now();
  const { threads } = await client.request<DebugProtocol.ThreadsResponse['body']>('threads');
  for (;;) {
    await sleep(1000);
    await client.request('pause', { threadId: threads[0]?.id ?? 0 });
    await client.take<DebugProtocol.StoppedEvent>('stopped');
    const { checkpoints } = await client.timeTravel('chronofork/checkpoint', { action: 'list' });
    // Beside the beginning, the last, which the present stands on, and those made while the heap was filled.
    if (checkpoints.length >= wanted + 6) return checkpoints;
    if (performance.now() - started > memoryLimitMs)
      throw new Error(`Only ${checkpoints.length} checkpoints in ${memoryLimitMs / 1000} s.`);
    await client.request('continue', { threadId: threads[0]?.id ?? 0 });
  }
}
