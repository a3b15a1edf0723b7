/**
 * `chronofork verify` as a user runs it: what the program reads and prints, the
 * exit codes, the report, and that a replay has no effect on the world. That
 * real programs replay exactly is tested in test/real.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ReportFile } from '../../debug-adapter/cli/verify.js';
import { program } from '../dsl/programs.js';
import { bundle, chronofork, type Outcome } from './chronofork.js';

describe('chronofork verify', function () {
  this.timeout(60_000);
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'verify-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function verify(args: string[], input = ''): Promise<Outcome & { report: ReportFile }> {
    const file = path.join(folder, 'report.json');
    const outcome = await chronofork(['verify', '--report', file, ...args], input);
    return { ...outcome, report: JSON.parse(readFileSync(file, 'utf8')) as ReportFile };
  }

  it('shows what the program prints, once, and reports what was done', async () => {
    const { status, stdout, stderr, report } = await verify(['--', '/bin/echo', 'two words', '']);
    equal(stdout, 'two words \n');
    equal(status, 0, stderr);
    match(stderr, /identical/);
    equal(report.program, '/bin/echo');
    deepEqual([report.exitCode, report.signal, report.diverged], [0, null, []]);
    ok(report.events > 0 && report.replays > 0 && report.recordMs > 0 && report.replayMs > 0);
    equal(report.nativeMs, null);
  });

  it('gives the program its standard input, and looks for it in PATH', async () => {
    const input = 'one\ntwo\n'.repeat(5000);
    const { status, stdout, stderr } = await verify(['--', 'cat'], input);
    equal(status, 0, stderr);
    equal(stdout, input);
  });

  it('tells the standard error from the standard output', async () => {
    const { stdout, stderr } = await verify(['--', '/bin/sh', '-c', 'echo out; echo err >&2']);
    equal(stdout, 'out\n');
    match(stderr, /^err$/m);
  });

  it("reports the program's exit code, which is not its own", async () => {
    const { status, report } = await verify(['--', '/bin/sh', '-c', 'exit 3']);
    deepEqual([status, report.exitCode, report.signal], [0, 3, null]);
  });

  it('reports the signal that ended the program', async () => {
    const { status, stderr, report } = await verify(['--', '/bin/sh', '-c', 'kill -SEGV $$']);
    equal(status, 0, stderr);
    deepEqual([report.exitCode, report.signal], [null, 'SIGSEGV']);
  });

  it('has the effects of one run, although it replays from every checkpoint', async () => {
    const file = path.join(folder, 'log');
    const { status, stderr, report } = await verify(['--interval', '1', '--', '/bin/sh', '-c', `echo once >> ${file}`]);
    equal(status, 0, stderr);
    ok(report.replays >= 1);
    equal(readFileSync(file, 'utf8'), 'once\n');
  });

  it('keeps its own settings from the program', async () => {
    const env = { ...process.env, CHRONOFORK_LOG: 'error', VISIBLE: 'yes' };
    const { stdout } = await chronofork(['verify', '--', '/usr/bin/env'], '', env);
    match(stdout, /^VISIBLE=yes$/m);
    ok(!stdout.includes('CHRONOFORK_'));
  });

  // Each maps terabytes, and minds what else lies in memory.
  for (const [sanitizer, mistake, says, exitCode] of [
    ['address', 'freed', /heap-use-after-free/, 1],
    ['undefined', 'overflow', /signed integer overflow/, 0],
    ['thread', 'race', /data race/, 66],
  ] as const) {
    it(`replays what the ${sanitizer} sanitizer finds`, async () => {
      const { executable } = program('sanitized.cc', ['-g', '-O1', '-std=c++20', `-fsanitize=${sanitizer}`]);
      const { status, stderr, report } = await verify(['--interval', '10', '--', executable, mistake]);
      equal(status, 0, stderr);
      match(stderr, says);
      equal(report.exitCode, exitCode);
      ok(report.checkpoints > 0 && report.replays > 0);
    });
  }

  it('times a native run too when asked', async () => {
    const { stdout, report } = await verify(['--native', '--', '/bin/echo', 'twice']);
    equal(stdout, 'twice\ntwice\n');
    ok((report.nativeMs ?? 0) > 0);
  });

  it('verifies a program of several threads', async () => {
    const { status, stdout, stderr, report } = await verify(['--', program('native/threads.c').executable, 'mutex']);
    equal(status, 0, stderr);
    equal(stdout, '2000 20\n');
    deepEqual([report.refusedCalls, report.diverged], [0, []]);
  });

  it('tells of a call that cannot be recorded, and verifies the rest', async () => {
    const { status, stderr, report } = await verify(['--', program('native/limits.c').executable, 'ring']);
    equal(status, 0, stderr);
    match(stderr, /io_uring/);
    deepEqual([report.refusedCalls, report.notices.length], [1, 1]);
  });

  it('tells of a process that writes into the program’s memory beside it', async () => {
    const { stdout, stderr } = await verify(['--', program('native/limits.c').executable, 'beside']);
    equal(stdout, '1\n');
    match(stderr, /a process that goes on beside it in the same memory.*is not recorded/);
  });

  // A file that is opened for writing and changed when it has been mapped cannot be mapped again as it was.
  it('prints what diverged, and the command to see it again', async () => {
    const mapped = writeInto(folder, 'a mapped file', 'x'.repeat(5000));
    const { executable } = program('native/changes_mapped_file.c');
    const { status, stderr, report } = await verify(['--', executable, mapped]);
    equal(status, 1, stderr);
    ok(report.diverged.length > 0);
    match(stderr, /diverged at event \d+.*was changed since/);
    match(stderr, /a mapped file, which the program has mapped, was changed later: what the past shows/);
    const again = /to see it again, .*:\n {2}(cd .*)\n/.exec(stderr)?.[1] ?? '';
    ok(again.endsWith(`'${mapped}'`), stderr);
    writeFileSync(mapped, 'x'.repeat(5000));
    const repeated = spawnSync('/bin/sh', ['-c', again], { encoding: 'utf8', cwd: folder });
    equal(repeated.status, 1, repeated.stderr);
  });

  it('says of a program that is killed at any moment that it was killed', async () => {
    const program = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1'];
    for (let round = 0; round < 12; round++) {
      // Without patches each call stops: most of them are killed while something is done with them.
      const env = { ...process.env, CHRONOFORK_PATCH: '0' };
      const words = [bundle, 'verify', '--interval', '10', '--', ...program];
      const verifying = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'], env });
      let told = '';
      verifying.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
      const closed = once(verifying, 'close');
      const live = await childOf(verifying.pid!);
      await new Promise((resolve) => setTimeout(resolve, 200 + round * 23));
      process.kill(live, 'SIGKILL');
      deepEqual(await closed, [2, null], told);
      match(told, /The program was killed from outside before it ended\./);
      ok(!existsSync(`/proc/${live}`));
    }
  });

  // No signal ends the first process of a container by itself.
  it('ends when it is asked to, as the first process of a container, and leaves nothing', async () => {
    const ours = [process.execPath, bundle, 'verify', '--', '/bin/sleep', '271828'];
    const container = spawn('unshare', ['-Urpf', '--mount-proc', ...ours], { stdio: 'ignore' });
    const ended = once(container, 'exit');
    const first = await childOf(container.pid!);
    try {
      const sleep = await childOf(first);
      process.kill(first, 'SIGTERM');
      deepEqual(await ended, [128 + 15, null]);
      ok(!existsSync(`/proc/${sleep}`));
    } finally {
      if (container.exitCode === null) process.kill(first, 'SIGKILL');
    }
  });

  const impossible: [what: string, make: (folder: string) => string][] = [
    ['that is missing', (dir) => path.join(dir, 'missing')],
    ['that is no executable', (dir) => writeInto(dir, 'text', 'words\n')],
    ['that is a folder', (dir) => dir],
    ['that no PATH holds', () => 'no-such-program-anywhere'],
  ];
  for (const [what, make] of impossible) {
    it(`ends with 2 and a remedy for a program ${what}`, async () => {
      const { status, stdout, stderr, report } = await verify(['--', make(folder)]);
      equal(status, 2);
      equal(stdout, '');
      match(stderr, /could not be recorded: \S/);
      ok(report.error && report.error.message.length > 10 && report.error.remedy.length > 10, JSON.stringify(report));
    });
  }
});

/** Waits until a process has one, made by whichever of its threads. */
async function childOf(pid: number): Promise<number> {
  for (let left = 400; left > 0; left--, await new Promise((resolve) => setTimeout(resolve, 50)))
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const [child] = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ');
      if (child) return Number(child);
    }
  throw new Error(`${pid} has no child`);
}

function writeInto(folder: string, name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}
