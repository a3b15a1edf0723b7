/** What the debuggee prints and reads, in both consoles. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { debugTest } from '../dsl/debugTest.js';

const ended = /exited with code (\d+)/;

describe('the console', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(path.join(tmpdir(), 'chronofork-test-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  debugTest('shows what is printed, with arguments and environment', 'echo.c', async (s) => {
    await s.launch({ args: ['one two'], env: { GREETING: 'grüß dich' } });
    await s.run();
    assert.match(s.last?.body.description ?? '', ended);
    await s.client.outputHas('stdout', 'end of input\n');
    assert.equal(s.client.output.stdout, 'args 2 one two\nenv grüß dich\ntty 0 1\nend of input\n');
  });

  debugTest('feeds standard input from a file, and keeps the streams apart', 'echo.c', async (s) => {
    const input = path.join(folder, 'input.txt');
    writeFileSync(input, 'first\nquit\nnever read\n');
    await s.launch({ stdin: input });
    await s.walk('run -> exit 5');
    await s.client.outputHas('stderr', 'err quit\n');
    assert.match(s.client.output.stdout ?? '', /got first\ngot quit\n$/);
    assert.equal(s.client.output.stderr, 'err first\nerr quit\n');
  });

  debugTest('has shown what was printed before a stop when the stop comes', 'bank.c', async (s) => {
    await s.breakAt('return');
    await s.run();
    assert.equal(s.client.output.stdout, 'balance 160\n');
  });

  debugTest(
    'may be a terminal of the client, which is left as it was',
    'echo.c',
    { client: { supportsRunInTerminalRequest: true }, launch: { console: 'integratedTerminal' } },
    async (s) => {
      // `script` gives the holder a real terminal.
      let screen = '';
      let terminal: ReturnType<typeof spawn> | undefined;
      s.client.onReverseRequest = (command, args) => {
        assert.equal(command, 'runInTerminal');
        const line = (args as { args: string[] }).args.map((one) => `'${one}'`).join(' ');
        terminal = spawn('script', ['-qfec', `stty -g; ${line}; echo; echo after; stty -g`, '/dev/null'], {
          cwd: process.cwd(),
          stdio: ['pipe', 'pipe', 'inherit'],
        });
        terminal.stdout!.on('data', (data: Buffer) => (screen += data.toString()));
        return {};
      };
      await s.launch();
      await s.client.request('configurationDone');
      const shows = async (text: string) => {
        for (let i = 0; !screen.includes(text); i++) {
          assert.ok(i < 500, `the terminal shows ${text}: ${JSON.stringify(screen)}`);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      };
      await shows('tty 1 1');
      terminal!.stdin!.write('hello\n');
      await shows('got hello');
      terminal!.stdin!.write('quit\n');
      await s.stopped();
      assert.match(s.last?.body.description ?? '', /exited with code 5/);
      await s.client.close();
      await shows('after');
      await new Promise((resolve) => terminal!.on('exit', resolve));
      const [before, after] = screen.split('after');
      const settings = (text: string) => /[0-9a-f]+:[0-9a-f:]{40,}/.exec(text)?.[0];
      assert.ok(settings(before!), JSON.stringify(screen));
      assert.equal(settings(after!), settings(before!));
      assert.ok(!screen.includes('\r\r'), 'newlines are not doubled');
    },
  );
});
