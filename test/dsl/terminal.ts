/**
 * A real terminal for integratedTerminal, made by `script`: says what its
 * settings were before and after the command that ran in it.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import assert from 'node:assert/strict';
import { realpathSync } from 'node:fs';
import type { AdapterClient } from './adapterClient.js';
import { processesOf } from './leftovers.js';

const within_ms = 10_000;
const node = realpathSync(process.execPath);

export class Terminal {
  screen = '';
  readonly closed: Promise<unknown>;
  private constructor(
    private readonly client: AdapterClient,
    private readonly child: ChildProcessWithoutNullStreams,
  ) {
    child.stdout.on('data', (data: Buffer) => (this.screen += data.toString()));
    child.stdin.on('error', () => undefined); // the terminal is gone
    this.closed = new Promise((resolve) => child.on('exit', resolve));
  }

  /** Answers the adapter's wish for a terminal; resolves when it has one. */
  static openedBy(client: AdapterClient): Promise<Terminal> {
    return new Promise((resolve) => {
      client.onReverseRequest = (command, args) => {
        assert.equal(command, 'runInTerminal');
        const line = (args as { args: string[] }).args.map((one) => `'${one}'`).join(' ');
        const name = client.mark.split('=')[0]!;
        // The wait: where the guardian was killed, the shell goes on while the relay puts the settings back.
        const session = `stty -g; ${line}; echo; sleep 1; echo after; stty -g`;
        const child = spawn('script', ['-qfec', session, '/dev/null'], {
          env: { ...process.env, [name]: client.mark.slice(name.length + 1) },
        });
        resolve(new Terminal(client, child));
        return {};
      };
    });
  }

  type(text: string): void {
    this.child.stdin.write(text);
  }

  async shows(text: string): Promise<void> {
    const until = Date.now() + within_ms;
    while (!this.screen.includes(text)) {
      assert.ok(Date.now() < until, `the terminal shows ${text}: ${JSON.stringify(this.screen)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** The processes that hold it for the debuggee: the guardian, and the relay that it started. */
  holders(): { guardian: number; relay: number } {
    const pids = processesOf(this.client)
      .filter(({ commandLine, executable }) => executable === node && commandLine.includes('tty-holder'))
      .map(({ pid }) => pid)
      .sort((one, other) => one - other);
    assert.equal(pids.length, 2, 'guardian and relay');
    return { guardian: pids[0]!, relay: pids[1]! };
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  /** The command has ended and the terminal has the settings that it had before. */
  async isAsItWas(): Promise<void> {
    await this.shows('after');
    await this.closed;
    const [before, after] = this.screen.split('after');
    const settings = (text = '') => /[0-9a-f]+:[0-9a-f:]{40,}/.exec(text)?.[0];
    assert.ok(settings(before), JSON.stringify(this.screen));
    assert.equal(settings(after), settings(before));
  }
}
