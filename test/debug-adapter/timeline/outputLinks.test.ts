/** Which output becomes a link, and to what. */
import assert from 'node:assert/strict';
import { OutputLinks } from '../../../debug-adapter/timeline/outputLinks.js';
import { ProgramOutput } from '../../../debug-adapter/timeline/programOutput.js';

describe('links of output lines', () => {
  const sent: { output: string; variablesReference?: number }[] = [];
  let output: ProgramOutput;
  let links: OutputLinks;

  beforeEach(() => {
    sent.length = 0;
    output = new ProgramOutput(false);
    links = new OutputLinks(
      output,
      (body) => sent.push(body),
      () => 0,
    );
  });

  function read(text: string): void {
    const bytes = Buffer.from(text);
    output.read('stdout', bytes);
    links.show('stdout', text, bytes);
  }

  it('are made of whole lines, each with its place in the stream', () => {
    read('one\ntwo\n');
    assert.deepEqual(
      sent.map((body) => [body.output, links.placeOf(body.variablesReference ?? 0)?.offset]),
      [
        ['one\n', 0],
        ['two\n', 4],
      ],
    );
    const [variable] = links.variableOf(sent[1]!.variablesReference!)!;
    assert.equal(variable?.value, 'two');
    assert.equal(variable?.valueLocationReference, sent[1]!.variablesReference);
    assert.equal(links.variableOf(5), undefined);
  });

  it('are not made of lines that come in pieces', () => {
    read('half ');
    read('a line\nnext\n');
    read('whole\n');
    assert.deepEqual(
      sent.map((body) => [body.output, body.variablesReference !== undefined]),
      [
        ['half ', false],
        ['a line\nnext\n', false],
        ['whole\n', true],
      ],
    );
  });

  it('are not made of what comes too fast to be clicked', () => {
    for (let i = 0; i < 150; i++) read(`line ${i}\n`);
    assert.equal(sent.filter((body) => body.variablesReference !== undefined).length, 100);
    assert.equal(sent.length, 150);
  });
});
