/** The list of processes, read from a /proc that was made for it. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { listProcesses, type ListedProcess } from '../../../extension/attach/processList.js';

interface Made {
  name: string;
  uid?: number;
  parent?: number;
  tracer?: number;
  started?: number;
  args?: string[];
  executable?: string;
  state?: string;
  kernelThread?: boolean;
  /** Its first thread has ended, another has not. */
  headless?: boolean;
}

const me = 1000;

describe('the list of processes to attach to', () => {
  let proc = '';
  beforeEach(() => {
    proc = mkdtempSync(path.join(os.tmpdir(), 'chronofork-proc-'));
    writeFileSync(path.join(proc, 'passwd'), 'root:x:0:0::/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\n');
  });
  afterEach(() => rmSync(proc, { recursive: true }));

  function make(pid: number, made: Made): void {
    if (made.headless) makeAt(`${pid}`, pid, { name: made.name, args: [], state: 'Z (zombie)', kernelThread: true });
    makeAt(made.headless ? `${pid}/task/${pid + 1}` : `${pid}`, pid, made);
  }

  function makeAt(place: string, pid: number, made: Made): void {
    const folder = path.join(proc, place);
    mkdirSync(folder, { recursive: true });
    const { name, uid = me, parent = 1, tracer = 0, started = pid, args = [name], state = 'S (sleeping)' } = made;
    const memory = made.kernelThread ? '' : 'VmSize:\t 1000 kB\n';
    const status = `Name:\t${name}\nState:\t${state}\nTgid:\t${pid}\nPPid:\t${parent}\nTracerPid:\t${tracer}\n`;
    writeFileSync(path.join(folder, 'status'), `${status}Uid:\t${uid}\t${uid}\n${memory}`);
    const fields = Array.from({ length: 18 }, () => '0').join(' ');
    writeFileSync(path.join(folder, 'stat'), `${pid} (${name}) S ${fields} ${started} 0`);
    writeFileSync(path.join(folder, 'comm'), `${name}\n`);
    writeFileSync(path.join(folder, 'cmdline'), args.map((arg) => `${arg}\0`).join(''));
    if (made.executable) symlinkSync(made.executable, path.join(folder, 'exe'));
  }

  function setScope(scope: number): void {
    mkdirSync(path.join(proc, 'sys/kernel/yama'), { recursive: true });
    writeFileSync(path.join(proc, 'sys/kernel/yama/ptrace_scope'), `${scope}\n`);
  }

  const list = (uid = me, self = 9999): Promise<ListedProcess[]> =>
    listProcesses({ uid, self }, proc, path.join(proc, 'passwd'));

  async function only(uid = me): Promise<ListedProcess> {
    const listed = await list(uid);
    assert.equal(listed.length, 1);
    return listed[0]!;
  }

  it('names each by its program, its arguments and its user', async () => {
    make(40, { name: 'se (r) ver', args: ['/opt/server', '-p', '80', '', 'a b'], executable: '/opt/server (deleted)' });
    const { pid, name, commandLine, user, own, reason, doubt } = await only();
    assert.deepEqual(
      { pid, name, commandLine, user, own, reason, doubt },
      {
        pid: 40,
        name: 'server',
        commandLine: '/opt/server -p 80 "" "a b"',
        user: 'anna',
        own: true,
        reason: undefined,
        doubt: undefined,
      },
    );
  });

  it('puts own ones first, the newest before older ones, and last what cannot be attached to', async () => {
    make(10, { name: 'theirs', uid: 0 });
    make(20, { name: 'old', started: 5 });
    make(30, { name: 'new', started: 50 });
    make(40, { name: 'debugged', tracer: 20, started: 90 });
    assert.deepEqual(
      (await list()).map(({ name }) => name),
      ['new', 'old', 'debugged', 'theirs'],
    );
    assert.deepEqual(
      (await list(0)).map(({ name }) => name),
      ['theirs', 'new', 'old', 'debugged'],
    );
  });

  it('names one whose first thread has ended as if it had not', async () => {
    make(40, { name: 'thread', args: ['/opt/server', '-p'], executable: '/opt/server', headless: true });
    const { pid, name, commandLine } = await only();
    assert.deepEqual({ pid, name, commandLine }, { pid: 40, name: 'server', commandLine: '/opt/server -p' });
  });

  it('leaves out the kernel’s own threads and what has ended', async () => {
    make(2, { name: 'kthreadd', kernelThread: true, uid: 0 });
    make(50, { name: 'gone', state: 'Z (zombie)' });
    assert.deepEqual(await list(), []);
  });

  const reasons: [string, () => void, RegExp][] = [
    ['another user’s', () => make(40, { name: 'x', uid: 0 }), /^it belongs to root$/],
    ['one of a user without a name', () => make(40, { name: 'x', uid: 77 }), /^it belongs to user 77$/],
    ['a 32-bit program', () => make(40, { name: 'x', executable: narrow() }), /^it is a 32-bit program$/],
    ['any, where the kernel allows only root', () => (setScope(2), make(40, { name: 'x' })), /ptrace_scope is 2/],
    ['any, where the kernel allows nobody', () => (setScope(3), make(40, { name: 'x' })), /ptrace_scope is 3/],
  ];
  const narrow = () => {
    const file = path.join(proc, 'narrow');
    writeFileSync(file, Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1]));
    return file;
  };
  for (const [what, prepare, sentence] of reasons)
    it(`says why ${what} cannot be attached to`, async () => {
      prepare();
      assert.match((await only()).reason ?? '', sentence);
    });

  it('names the debugger of one that is being debugged', async () => {
    make(40, { name: 'x', tracer: 41 });
    make(41, { name: 'gdb' });
    assert.equal((await list()).find(({ pid }) => pid === 40)?.reason, 'it is being debugged by process 41 (gdb)');
  });

  it('has doubts where the kernel wants a debugger to be the parent, but not for root', async () => {
    setScope(1);
    make(40, { name: 'x' });
    assert.match((await only()).doubt ?? '', /ptrace_scope is 1.*sysctl/);
    assert.equal((await only()).reason, undefined);
    assert.equal((await only(0)).doubt, undefined);
  });

  it('does not offer VS Code itself', async () => {
    make(100, { name: 'server', parent: 1 });
    make(101, { name: 'extensionHost', parent: 100 });
    make(102, { name: 'program', parent: 101 });
    const reasons = Object.fromEntries((await list(me, 101)).map(({ name, reason }) => [name, reason]));
    assert.deepEqual(reasons, {
      program: undefined,
      extensionHost: 'it runs this VS Code',
      server: 'it runs this VS Code',
    });
  });

  it('lists this very machine', async () => {
    const listed = await listProcesses({ uid: process.getuid?.() ?? 0, self: process.pid });
    assert.equal(listed.find(({ pid }) => pid === process.pid)?.reason, 'it runs this VS Code');
  });
});
