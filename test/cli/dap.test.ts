/** `chronofork dap --port`: a server on the loopback interface, for clients one after the other and side by side. */
import { equal, match, ok } from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { nothingLeft } from '../dsl/leftovers.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundle } from './chronofork.js';

interface Answer {
  success: boolean;
  message?: string;
  body?: Record<string, unknown>;
}

/** One client: requests, and their answers. */
class Conversation {
  readonly closed: Promise<void>;
  private readonly socket: Socket;
  private readonly answers = new Map<number, (answer: Answer) => void>();
  private received = Buffer.alloc(0);
  private sequence = 1;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (data: Buffer) => this.receive(data));
    this.closed = new Promise((resolve) => this.socket.on('close', () => resolve()));
  }

  ask(command: string, args: object = {}): Promise<Answer> {
    const seq = this.sequence++;
    const text = JSON.stringify({ seq, type: 'request', command, arguments: args });
    this.socket.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    return new Promise((resolve) => this.answers.set(seq, resolve));
  }

  leave(): void {
    this.socket.end();
  }

  private receive(data: Buffer): void {
    this.received = Buffer.concat([this.received, data]);
    for (;;) {
      const headerEnd = this.received.indexOf('\r\n\r\n');
      const length = Number(/Content-Length: (\d+)/.exec(this.received.toString('latin1', 0, headerEnd))?.[1]);
      if (headerEnd < 0 || this.received.length < headerEnd + 4 + length) return;
      const message = JSON.parse(this.received.toString('utf8', headerEnd + 4, headerEnd + 4 + length)) as Answer & {
        request_seq?: number;
      };
      this.received = this.received.subarray(headerEnd + 4 + length);
      if (message.request_seq !== undefined) this.answers.get(message.request_seq)?.(message);
    }
  }
}

describe('chronofork dap --port', function () {
  this.timeout(60_000);
  const session = { mark: `CF_JOURNEY=port-${process.pid}`, temporary: '' };
  let server: ChildProcess;
  let port: number;

  beforeEach(async () => {
    session.temporary = mkdtempSync(path.join(tmpdir(), 'cf-journey-'));
    const env = { ...process.env, TMPDIR: session.temporary, CF_JOURNEY: session.mark.split('=')[1] };
    server = spawn(process.execPath, [bundle, 'dap', '--port', '0'], { stdio: ['ignore', 'ignore', 'pipe'], env });
    const line = await new Promise<string>((resolve) =>
      server.stderr?.once('data', (data: Buffer) => resolve(data.toString())),
    );
    match(line, /listening on 127\.0\.0\.1:\d+/);
    port = Number(/:(\d+)$/m.exec(line)?.[1]);
  });
  afterEach(async () => {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGTERM');
    await ended;
    await nothingLeft(session);
    rmSync(session.temporary, { recursive: true, force: true });
  });

  async function launch(client: Conversation): Promise<void> {
    const capabilities = await client.ask('initialize', { adapterID: 'chronofork' });
    equal(capabilities.body?.supportsStepBack, true);
    const launched = await client.ask('launch', { program: '/bin/sleep', args: ['100'] });
    ok(launched.success, launched.message);
    ok((await client.ask('configurationDone')).success);
  }

  it('serves a client, and the next one too', async () => {
    for (let count = 0; count < 2; count++) {
      const client = new Conversation(port);
      await launch(client);
      ok((await client.ask('disconnect')).success);
      await client.closed;
    }
  });

  it('serves several clients at a time, and ends each with its client', async () => {
    const clients = [new Conversation(port), new Conversation(port), new Conversation(port)];
    await Promise.all(clients.map(launch));
    const [first, second, third] = clients as [Conversation, Conversation, Conversation];
    first.leave();
    await first.closed;
    ok((await second.ask('disconnect')).success);
    await second.closed;
    ok((await third.ask('chronofork/timeline')).success, 'the others are not concerned');
  });
});
