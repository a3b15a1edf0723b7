/** `chronofork dap --port`: a server on the loopback interface, for clients one after the other. */
import { equal, match, ok } from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { bundle } from './chronofork.js';

describe('chronofork dap --port', () => {
  let server: ChildProcess;
  let port: number;

  beforeEach(async () => {
    server = spawn(process.execPath, [bundle, 'dap', '--port', '0'], { stdio: ['ignore', 'ignore', 'pipe'] });
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
  });

  /** Sends one request and resolves with the first message that comes back. */
  function ask(command: string): Promise<{ command: string; success: boolean; body: Record<string, unknown> }> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', reject);
      let received = '';
      socket.setEncoding('utf8').on('data', (text: string) => {
        received += text;
        const [header = '', body] = received.split('\r\n\r\n', 2);
        const length = Number(/Content-Length: (\d+)/.exec(header)?.[1]);
        if (body === undefined || Buffer.byteLength(body) < length) return;
        socket.end();
        resolve(JSON.parse(Buffer.from(body).subarray(0, length).toString()));
      });
      const text = JSON.stringify({ seq: 1, type: 'request', command, arguments: { adapterID: 'chronofork' } });
      socket.write(`Content-Length: ${text.length}\r\n\r\n${text}`);
    });
  }

  it('answers a client, and the next one too', async () => {
    for (let client = 0; client < 2; client++) {
      const answer = await ask('initialize');
      equal(answer.command, 'initialize');
      ok(answer.success);
      equal(answer.body.supportsStepBack, true);
    }
  });
});
