/** What a client may send, and what ends the session. */
import assert from 'node:assert/strict';
import { MalformedMessage, StrictFraming } from '../../debug-adapter/strictFraming.js';

function message(body: unknown): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

const request = { seq: 1, type: 'request', command: 'initialize' };

/** What comes out for these pieces, or the error. */
async function through(...pieces: (string | Buffer)[]): Promise<string | Error> {
  const framing = new StrictFraming();
  let out = '';
  framing.on('data', (data: Buffer) => (out += data.toString()));
  return new Promise((resolve) => {
    framing.on('error', resolve);
    framing.on('end', () => resolve(out));
    for (const piece of pieces) framing.write(piece);
    framing.end();
  });
}

describe('strictFraming', () => {
  it('passes messages on, in whatever pieces they come', async () => {
    const both = message(request) + message({ ...request, seq: 2, arguments: { text: 'grün' } });
    assert.equal(await through(both), both);
    const bytes = Buffer.from(both);
    const pieces = [...bytes].map((_, index) => bytes.subarray(index, index + 1));
    assert.equal(await through(...pieces), both);
  });

  it('knows headers by any case, and ignores others', async () => {
    const text = JSON.stringify(request);
    const out = await through(`Content-Type: x\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
    assert.equal(out, message(request));
  });

  const malformed: [string, string | Buffer][] = [
    ['bytes that are no header', '\x00\x01\x02\x03\x04garbage'],
    ['a line of text', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a header without an end', `Content-Length: 5${' '.repeat(3000)}`],
    ['a header without a length', 'Content-Type: json\r\n\r\n{}'],
    ['a length that is no number', 'Content-Length: many\r\n\r\n{}'],
    ['a negative length', 'Content-Length: -5\r\n\r\n{}'],
    ['a monstrous length', 'Content-Length: 99999999999\r\n\r\n{}'],
    ['what is not JSON', message('{"seq":1,')],
    ['what is not a message', message('[1,2]')],
    ['a request without a command', message({ seq: 1, type: 'request' })],
    ['an event', message({ seq: 1, type: 'event', event: 'x' })],
    ['null', message('null')],
  ];
  for (const [what, bytes] of malformed)
    it(`refuses ${what}`, async () => assert.ok((await through(bytes)) instanceof MalformedMessage));
});
