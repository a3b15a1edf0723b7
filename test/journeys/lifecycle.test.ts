/** The beginning and the end of sessions, and everything that goes wrong there. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AdapterClient, adapterCommand } from '../dsl/adapterClient.js';
import { debugTest, type Journey } from '../dsl/debugTest.js';
import { writeElf32 } from '../dsl/elf32.js';
import { eventually, processesOf } from '../dsl/leftovers.js';

function runs(s: Journey): boolean {
  return processesOf(s.client).some(({ executable }) => executable === s.program.executable);
}

describe('a session', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(path.join(tmpdir(), 'chronofork-test-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  debugTest('stops at main when asked to', 'bank.c', { launch: { stopOnEntry: true } }, async (s) => {
    await s.walk('run -> start');
    assert.equal(s.last?.body.reason, 'entry');
  });

  debugTest(
    'works without debug information, and says so',
    'bank.c',
    { flags: ['-O0', '-s'], launch: { stopOnEntry: true } },
    async (s) => {
      await s.run();
      assert.equal(s.last?.body.reason, 'entry');
      assert.match(s.client.output.important ?? '', /has no debug information.*Build it with -g/);
      const before = s.last?.stackFrame?.instructionPointerReference;
      await s.step('next', { granularity: 'instruction' });
      assert.notEqual(s.last?.stackFrame?.instructionPointerReference, before);
    },
  );

  const refusals: [string, () => Record<string, unknown>, number, RegExp][] = [
    [
      'a program that is missing',
      () => ({ program: path.join(folder, 'none') }),
      1002,
      /does not exist\. Build it first/,
    ],
    ['no program', () => ({ program: undefined }), 1001, /"program" is missing/],
    ['a folder', () => ({ program: folder }), 1003, /is a folder.*the executable inside it/],
    ['a file that is not executable', () => ({ program: textFile() }), 1003, /is not executable.*chmod \+x/],
    ['a 32-bit program', () => ({ program: elfFor32Bits() }), 1005, /a 32-bit program.*without -m32/],
    ['a text file', () => ({ program: executableFile('text', 'hello') }), 1004, /not an ELF executable/],
    ['a script', () => ({ program: executableFile('script', '#!/bin/sh\n') }), 1004, /is a script/],
    ['arguments that are no list', () => ({ args: 'x' }), 1001, /"args" must be a list of strings/],
    ['a folder that is missing', () => ({ cwd: '/nowhere/at/all' }), 1007, /working folder/],
    ['an input file that is missing', () => ({ stdin: '/nowhere/in' }), 1008, /standard input/],
    ['a gdb that is missing', () => ({ gdbPath: '/nowhere/gdb' }), 1101, /gdb was not found.*apt-get install gdb/],
    [
      'a gdb that is too old',
      () => ({ gdbPath: fakeGdb('9.2', 'python') }),
      1102,
      /gdb 9\.2 is too old.*Install a newer/,
    ],
    ['a gdb without Python', () => ({ gdbPath: fakeGdb('13.1', '') }), 1103, /without Python.*not gdb-minimal/],
    ['a gdb that is none', () => ({ gdbPath: '/bin/false' }), 1104, /gdb is gone/],
    [
      'a setup command that gdb does not know',
      () => ({ setupCommands: ['frobnicate'] }),
      1105,
      /setup command "frobnicate"/,
    ],
    ['a terminal where there is none', () => ({ console: 'integratedTerminal' }), 1301, /cannot open a terminal/],
  ];
  const executableFile = (name: string, text: string | Buffer) => {
    const file = path.join(folder, name);
    writeFileSync(file, text);
    chmodSync(file, 0o755);
    return file;
  };
  /** Answers what is asked before the debuggee is started. */
  const fakeGdb = (version: string, feature: string) =>
    executableFile(
      `gdb-${version}`,
      `#!/bin/sh
while read -r line; do
  case $line in
    *"show version"*) printf '~"GNU gdb (GDB) %s\\\\n"\n' ${version} ;;
    *-gdb-exit*) exit 0 ;;
  esac
  printf '%s^done,features=["%s"]\n(gdb) \n' "\${line%%-*}" "${feature}"
done
`,
    );
  const textFile = () => {
    const file = executableFile('plain', 'hello');
    chmodSync(file, 0o644);
    return file;
  };
  const elfFor32Bits = () => {
    const file = path.join(folder, 'narrow');
    writeElf32(file);
    return file;
  };
  for (const [what, args, id, sentence] of refusals)
    debugTest(`refuses ${what}, in a sentence`, 'bank.c', async (s) => {
      await s.client.request('initialize', { adapterID: 'chronofork' });
      const error = await s.client.refusal('launch', { program: s.program.executable, ...args() });
      assert.equal(error.id, id);
      assert.match(error.message, sentence);
    });

  debugTest('refuses what it does not know, and what comes too early', 'bank.c', async (s) => {
    await s.client.request('initialize', { adapterID: 'chronofork' });
    assert.equal((await s.client.refusal('threads')).id, 1401);
    assert.equal((await s.client.refusal('restartFrame')).id, 1403);
    assert.equal((await s.client.refusal('constructor')).id, 1403);
    assert.equal((await s.client.refusal('chronofork/timeline')).id, 1401);
  });

  debugTest('has one program', 'bank.c', async (s) => {
    await s.client.request('initialize', { adapterID: 'chronofork' });
    const { answer } = s.client.begin('launch', { program: s.program.executable });
    assert.equal((await s.client.refusal('launch', { program: s.program.executable })).id, 1405);
    await answer;
    assert.equal((await s.client.refusal('launch', { program: s.program.executable })).id, 1405);
    await s.client.request('configurationDone');
    assert.equal((await s.stopped()).text, 'exit 0');
  });

  debugTest('may be launched once more when the first launch failed', 'bank.c', async (s) => {
    await s.client.request('initialize', { adapterID: 'chronofork' });
    await s.client.refusal('launch', { program: '/nowhere' });
    await s.client.request('launch', { program: s.program.executable });
    await s.client.request('configurationDone');
    assert.equal((await s.stopped()).text, 'exit 0');
  });

  debugTest('ends when Continue is pressed at the program’s end', 'echo.c', async (s) => {
    await s.walk('run -> exit 4');
    await s.client.request('continue', { threadId: s.threadId });
    assert.equal((await s.client.event('exited')).exitCode, 4);
    await s.client.event('terminated');
    await eventually('the program is gone', () => !runs(s));
  });

  debugTest('can be paused and ended while the program runs', 'busy.c', async (s) => {
    await s.breakAt('step', { hitCondition: '4' });
    await s.run();
    await s.clear('step');
    await s.client.request('continue', { threadId: s.threadId });
    assert.equal((await s.client.refusal('evaluate', { expression: '1', context: 'watch' })).id, 1402);
    await s.client.request('pause', { threadId: 1 });
    await s.stopped();
    assert.equal(s.last?.body.reason, 'pause');
    assert.ok(Number(await s.evaluate('rounds')) > 0);
    await s.client.request('continue', { threadId: s.threadId });
    await s.client.request('terminate');
    await s.client.event('terminated');
    await eventually('the program is gone', () => !runs(s));
  });

  const nonsense: [string, string][] = [
    ['nonsense', 'complete nonsense\r\n\r\n'],
    ['broken JSON', 'Content-Length: 5\r\n\r\n{"a":'],
    ['a length that is no number', 'Content-Length: many\r\n\r\n{}'],
    ['a length beyond all reason', 'Content-Length: 99999999999\r\n\r\n{}'],
    ['a list', 'Content-Length: 2\r\n\r\n[]'],
    ['a request without a command', 'Content-Length: 26\r\n\r\n{"seq":9,"type":"request"}'],
  ];
  for (const [what, bytes] of nonsense)
    debugTest(`ends, and says why, when the client sends ${what}`, 'busy.c', async (s) => {
      await s.launch();
      await s.client.request('configurationDone');
      await eventually('it runs', () => runs(s));
      s.client.sendBytes(bytes);
      await s.client.exited;
      assert.match(s.client.output.important ?? '', /not the Debug Adapter Protocol, so the session ends\.\n$/);
    });

  it('serves clients on a port of the loopback interface', async function () {
    this.timeout(20_000);
    const client = new AdapterClient('port', [...adapterCommand(), '--port', '0']);
    try {
      const port = await new Promise<number>((resolve) => {
        let text = '';
        client.child.stderr.on('data', (data: Buffer) => {
          text += data.toString();
          const found = /listening on 127\.0\.0\.1:(\d+)/.exec(text);
          if (found) resolve(Number(found[1]));
        });
      });
      const socket = connect(port, '127.0.0.1');
      const request = JSON.stringify({ seq: 1, type: 'request', command: 'initialize', arguments: { adapterID: 'x' } });
      socket.write(`Content-Length: ${request.length}\r\n\r\n${request}`);
      const answer = await new Promise<string>((resolve) =>
        socket.once('data', (data: Buffer) => resolve(data.toString())),
      );
      assert.match(answer, /"supportsStepBack":true/);
      socket.destroy();
    } finally {
      client.child.kill('SIGTERM');
      await client.exited;
    }
  });
});
