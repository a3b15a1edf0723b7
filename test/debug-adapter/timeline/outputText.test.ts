/** Text that was read and writes that were recorded, put together. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { LineEnds, OutputText, type OutputWrite } from '../../../debug-adapter/timeline/outputText.js';

const digest = (bytes: Buffer) => createHash('sha1').update(bytes).digest('hex');

let event = 0;

function write(text: string, pieces = false): OutputWrite {
  const bytes = Buffer.from(text);
  event += 10;
  const digestOf = pieces ? null : digest(bytes);
  return { event, timeMs: event / 10, threadId: 1, stream: 'stdout', bytes: bytes.length, digest: digestOf };
}

function seen(output: OutputText): [number, string | undefined][] {
  return output.lines.map((line) => [line.event, line.text]);
}

describe('the text of recorded writes', () => {
  let output: OutputText;
  beforeEach(() => {
    output = new OutputText(digest);
    event = 0;
  });

  it('is found whichever of the two comes first', () => {
    output.append(Buffer.from('one\n'));
    output.wrote(write('one\n'));
    output.wrote(write('two\n'));
    output.resolve(false);
    assert.deepEqual(seen(output), [[10, 'one']]);
    assert.deepEqual(
      output.unresolved.map((one) => one.event),
      [20],
    );
    output.append(Buffer.from('two\n'));
    output.resolve(false);
    assert.deepEqual(seen(output), [
      [10, 'one'],
      [20, 'two'],
    ]);
  });

  it('is divided into lines, each at the write of its first byte', () => {
    output.append(Buffer.from('a line in pieces\nand\ntwo\n\nmore'));
    for (const text of ['a line ', 'in ', 'pieces\nand\n', 'two\n\nmore']) output.wrote(write(text));
    output.resolve(false);
    assert.deepEqual(seen(output), [
      [10, 'a line in pieces'],
      [30, 'and'],
      [40, 'two'],
      [40, ''],
      [40, 'more'],
    ]);
    assert.equal(output.openLine?.text, 'more');
  });

  it('is found behind what somebody else wrote', () => {
    output.append(Buffer.from('mine\nfrom a child\nand another\nmine again\n'));
    output.wrote(write('mine\n'));
    output.wrote(write('mine again\n'));
    output.resolve(false);
    assert.deepEqual(seen(output), [
      [10, 'mine'],
      [20, 'mine again'],
    ]);
  });

  it('is never made up: a write whose text is not there has none', () => {
    output.append(Buffer.from('other text\nlast\n'));
    output.wrote(write('lost line\n'));
    output.resolve(false);
    assert.deepEqual(seen(output), []);
    output.wrote(write('last\n'));
    output.resolve(true);
    assert.deepEqual(seen(output), [
      [10, undefined],
      [20, 'last'],
    ]);
  });

  it('is taken by its length where it was written in pieces, but only next to what was found', () => {
    output.append(Buffer.from('whole\nin pieces\n'));
    output.wrote(write('whole\n'));
    output.wrote(write('in pieces\n', true));
    output.resolve(true);
    assert.deepEqual(seen(output), [
      [10, 'whole'],
      [20, 'in pieces'],
    ]);
    output.append(Buffer.from('nobody knows whose\n'));
    output.wrote(write('lost\n'));
    output.wrote(write('nobody knows whose\n', true));
    output.resolve(true);
    assert.deepEqual(seen(output).slice(2), [
      [30, undefined],
      [40, undefined],
    ]);
  });

  it('keeps characters of several bytes whole', () => {
    output.append(Buffer.from('grüß dich\n'));
    output.wrote(write('grüß dich\n'));
    output.resolve(false);
    assert.deepEqual(seen(output), [[10, 'grüß dich']]);
  });
});

describe('the ends of lines of a terminal', () => {
  it('are undone, also where they are cut', () => {
    const ends = new LineEnds();
    const read = ['a\r\nb\r', '\nc\rd\r\r\n', 'e'].map((text) => ends.undo(Buffer.from(text)).toString());
    assert.equal(read.join(''), 'a\nb\nc\rd\r\ne');
  });
});
