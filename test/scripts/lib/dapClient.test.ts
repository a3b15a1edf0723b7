/** The client of the demo and the benchmarks, against an adapter of a few lines. */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { DapClient } from '../../../scripts/lib/dapClient.js';

// Answers `echo`, refuses `refuse`, stops twice before it answers `continue`, and dies at `die`.
const adapter = `
  const send = (message) => {
    const text = JSON.stringify(message);
    process.stdout.write('Content-Length: ' + Buffer.byteLength(text) + '\\r\\n\\r\\n' + text);
  };
  let received = '';
  process.stdin.setEncoding('latin1').on('data', (data) => {
    received += data;
    for (let end; (end = received.indexOf('\\r\\n\\r\\n')) >= 0; ) {
      const length = Number(/Content-Length: (\\d+)/.exec(received)[1]);
      if (received.length < end + 4 + length) return;
      const { seq, command, arguments: args } = JSON.parse(Buffer.from(received.slice(end + 4, end + 4 + length), 'latin1'));
      received = received.slice(end + 4 + length);
      const answer = { type: 'response', request_seq: seq, command };
      if (command === 'die') process.exit(3);
      if (command === 'refuse') {
        send({ ...answer, success: false, body: { error: { id: 1, format: 'There is no {what}.', variables: { what: 'past' } } } });
      } else {
        if (command === 'continue') for (const reason of ['step', 'breakpoint']) send({ type: 'event', event: 'stopped', body: { reason } });
        send({ ...answer, success: true, body: args });
      }
    }
  });
  process.stdin.on('end', () => process.exit(0));
`;

describe('DapClient', () => {
  let client: DapClient;
  beforeEach(() => {
    client = new DapClient([process.execPath, '-e', adapter]);
  });
  afterEach(() => client.close());

  it('gives the body of the answer', async () => {
    deepEqual(await client.request('echo', { text: 'größer als ASCII' }), { text: 'größer als ASCII' });
  });

  it('keeps events that come before anybody asks for them, in order', async () => {
    await client.request('continue');
    deepEqual(await client.take('stopped'), { reason: 'step' });
    deepEqual(await client.take('stopped'), { reason: 'breakpoint' });
  });

  it('waits for events to come', async () => {
    const stopped = client.take('stopped');
    await client.request('continue');
    deepEqual(await stopped, { reason: 'step' });
  });

  it("rejects with the adapter's sentence", async () => {
    await rejects(client.request('refuse'), /refuse: There is no past\./);
  });

  it('notices the end of the adapter, for what is under way and for what comes after', async () => {
    const stopped = client.take('stopped');
    const seen = rejects(stopped, /The adapter is gone/);
    await rejects(client.request('die'), /the adapter is gone: it ended \(3\)/);
    await seen;
    await rejects(client.request('echo'), /The adapter is gone/);
    await rejects(client.take('stopped'), /The adapter is gone/);
  });

  it('says so when the adapter cannot be started', async () => {
    const missing = new DapClient(['/does/not/exist']);
    await rejects(missing.request('initialize'), /gone: .*ENOENT/);
    await missing.close();
    equal(await missing.close(), undefined);
  });
});
