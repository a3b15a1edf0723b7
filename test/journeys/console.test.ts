/** What the debuggee prints and reads, in both consoles. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { debugTest, type Journey, type JourneyOptions } from '../dsl/debugTest.js';
import { Terminal } from '../dsl/terminal.js';

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

  const inTerminal: JourneyOptions = {
    client: { supportsRunInTerminalRequest: true },
    launch: { console: 'integratedTerminal' },
  };

  /** Starts the program, which waits for a line. */
  async function waiting(s: Journey): Promise<Terminal> {
    const opened = Terminal.openedBy(s.client);
    await s.launch();
    await s.client.request('configurationDone');
    const terminal = await opened;
    await terminal.shows('tty 1 1');
    return terminal;
  }

  debugTest('may be a terminal of the client, which is left as it was', 'echo.c', inTerminal, async (s) => {
    const terminal = await waiting(s);
    terminal.type('hello\n');
    await terminal.shows('got hello');
    terminal.type('quit\n');
    await s.stopped();
    assert.match(s.last?.body.description ?? '', /exited with code 5/);
    await s.client.close();
    await terminal.isAsItWas();
    assert.ok(!terminal.screen.includes('\r\r'), 'newlines are not doubled');
  });

  debugTest('is left as it was when the adapter is killed', 'echo.c', inTerminal, async (s) => {
    const terminal = await waiting(s);
    s.client.child.kill('SIGKILL');
    await terminal.isAsItWas();
  });

  const losses: [name: string, lose: (terminal: Terminal) => void, survives: boolean][] = [
    ['the relay is killed', (terminal) => void process.kill(terminal.holders().relay, 'SIGKILL'), true],
    ['its guardian is killed', (terminal) => void process.kill(terminal.holders().guardian, 'SIGKILL'), true],
    ['the terminal is closed', (terminal) => terminal.kill(), false],
  ];
  for (const [name, lose, survives] of losses)
    debugTest(
      `is lost to the program when ${name}, and one may go back all the same`,
      'echo.c',
      inTerminal,
      async (s) => {
        const terminal = await waiting(s);
        lose(terminal);
        await s.stopped();
        assert.equal(s.last?.body.description, 'SIGHUP');
        await s.breakAt('read');
        await s.step('reverseContinue');
        await s.clear('read');
        await s.walk('stepBack -> asked');
        await s.step('continue');
        assert.equal(s.last?.body.description, 'SIGHUP');
        if (survives) await terminal.isAsItWas();
      },
    );
});
