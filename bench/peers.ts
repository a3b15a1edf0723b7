/**
 * What gdb itself needs for the same, in the same run: `record full`,
 * `checkpoint`, a conditional breakpoint.
 *
 * All but `checkpoint` are measured on a tiny part and extrapolated: the whole
 * would take hours. The figures say so.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { findCommand } from '../scripts/lib/requirements.mjs';
import {
  lineOf,
  mustRun,
  NotMeasurable,
  ownProgram,
  spread,
  temporaryFolder,
  type Figure,
  type Measured,
} from './measure.js';

// A gdb that waits for something that never comes is ended.
const limitMs = 90_000;

function gdbCommand(): string {
  const gdb = findCommand('gdb');
  if (!gdb) throw new NotMeasurable('There is no gdb: apt-get install gdb.');
  return gdb;
}

/** Runs gdb with a Python script that prints `seconds: N` for what it has timed. */
async function timedByGdb(program: string, args: string[], script: string[]): Promise<number[]> {
  const file = path.join(temporaryFolder(), 'peer.py');
  const head = ['import gdb, time', 'gdb.execute("set pagination off")', 'gdb.execute("set confirm off")'];
  writeFileSync(file, [...head, ...script].join('\n') + '\n');
  const ran = await mustRun(gdbCommand(), ['-nx', '-batch', '-x', file, '--args', program, ...args], { limitMs });
  const seconds = [...ran.stdout.matchAll(/^seconds: ([\d.e-]+)$/gm)].map(([, text]) => Number(text));
  if (seconds.length === 0) throw new Error(`gdb timed nothing: ${ran.stdout.slice(-500)} ${ran.stderr.slice(-500)}`);
  return seconds;
}

/** gdb records every instruction. */
async function recordFull(isQuick: boolean): Promise<Figure> {
  const program = ownProgram('recursive_calls', ['-O1', '-g']);
  const [small, whole] = [isQuick ? '10' : '14', '36'];
  // The two calls differ by the numbers of Fibonacci: that many instructions more.
  const calls = (n: number): number => (n < 2 ? 1 : 1 + calls(n - 1) + calls(n - 2));
  const native = await mustRun(program, [whole], { silent: true });
  const [seconds = NaN] = await timedByGdb(
    program,
    [small],
    [
      'gdb.execute("break fibonacci", to_string=True)',
      'gdb.execute("run", to_string=True)',
      'gdb.execute("delete", to_string=True)',
      'gdb.execute("record full", to_string=True)',
      'began = time.time()',
      'gdb.execute("finish", to_string=True)',
      'print("seconds: %f" % (time.time() - began))',
      'gdb.execute("record stop", to_string=True)',
      'gdb.execute("kill", to_string=True)',
    ],
  );
  const nativeSeconds = (native.ms / 1000) * (calls(Number(small)) / calls(Number(whole)));
  return {
    section: 'recording',
    name: 'gdb record full / native, recursive calls',
    value: seconds / nativeSeconds,
    unit: '×',
    how: `${calls(Number(small))} calls took ${seconds.toFixed(2)} s; extrapolated`,
  };
}

/** gdb's `checkpoint` of the program whose fork() is measured. */
async function checkpoint(isQuick: boolean): Promise<Figure> {
  const program = ownProgram('heap', ['-O0', '-g']);
  const seconds = await timedByGdb(
    program,
    ['512', '16', '1000000'],
    [
      'gdb.execute("break round_over", to_string=True)',
      'gdb.execute("run", to_string=True)',
      `for i in range(${isQuick ? 3 : 7}):`,
      '    began = time.time()',
      '    gdb.execute("checkpoint", to_string=True)',
      '    print("seconds: %f" % (time.time() - began))',
      'gdb.execute("kill", to_string=True)',
    ],
  );
  return {
    section: 'checkpoints',
    name: 'gdb checkpoint, 512 MiB',
    ...spread(seconds.map((s) => s * 1000)),
    unit: 'ms',
    how: `${seconds.length} of them; its checkpoints are used up by going there, and it refuses threads`,
  };
}

/** A conditional breakpoint that is false: gdb stops, asks, and goes on. */
async function conditionalBreakpoint(isQuick: boolean): Promise<Figure> {
  const program = ownProgram('history', ['-O1', '-g']);
  const hits = isQuick ? 2000 : 20_000;
  const { line } = lineOf('history', 'hit');
  const [seconds = NaN] = await timedByGdb(
    program,
    [String(hits), '0'],
    [
      'gdb.execute("break main", to_string=True)',
      'gdb.execute("run", to_string=True)',
      `gdb.execute("break history.c:${line} if i == ${hits - 1}", to_string=True)`,
      'began = time.time()',
      'gdb.execute("continue", to_string=True)',
      'print("seconds: %f" % (time.time() - began))',
      'gdb.execute("kill", to_string=True)',
    ],
  );
  return {
    section: 'searching',
    name: 'gdb: conditional breakpoint, a million hits, all but the last false',
    value: (seconds * 1000 * 1_000_000) / hits,
    unit: 'ms',
    how: `forwards, live; ${hits.toLocaleString('en-US')} of them took ${seconds.toFixed(1)} s; extrapolated`,
  };
}

export async function measurePeers(isQuick: boolean): Promise<Measured> {
  const figures: Figure[] = [];
  // One that fails or hangs here is no failure of ours, and none of the others'.
  for (const peer of [recordFull, checkpoint, conditionalBreakpoint])
    try {
      figures.push(await peer(isQuick));
    } catch (error) {
      console.log(`not measured: gdb (${peer.name}): ${error instanceof Error ? error.message : String(error)}`);
    }
  if (figures.length === 0) throw new NotMeasurable('gdb did none of it.');
  return { figures };
}
