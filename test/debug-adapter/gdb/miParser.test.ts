/** The MI parser on lines as gdb wrote them, and on broken ones. */
import assert from 'node:assert/strict';
import { MiSyntaxError, parseMiLine, quoteMi, text, tuple, tuples } from '../../../debug-adapter/gdb/miParser.js';

describe('miParser', () => {
  // Lines as gdb 13 wrote them.
  const recorded: [string, unknown][] = [
    ['(gdb) ', { kind: 'prompt' }],
    ['^running', { kind: 'result', token: undefined, className: 'running', fields: {} }],
    ['12^done,value="7"', { kind: 'result', token: 12, className: 'done', fields: { value: '7' } }],
    [
      '^error,msg="No symbol \\"kkk\\" in current context."',
      { kind: 'result', token: undefined, className: 'error', fields: { msg: 'No symbol "kkk" in current context.' } },
    ],
    ['*running,thread-id="all"', { kind: 'exec', className: 'running', fields: { 'thread-id': 'all' } }],
    ['~"4\\t  int t=0;\\n"', { kind: 'console', text: '4\t  int t=0;\n' }],
    ['&"No source file named /tmp/nope.c.\\n"', { kind: 'log', text: 'No source file named /tmp/nope.c.\n' }],
    ['@"hello"', { kind: 'target', text: 'hello' }],
    [
      '=tsv-created,name="trace",initial="0"',
      { kind: 'notify', className: 'tsv-created', fields: { name: 'trace', initial: '0' } },
    ],
    ['hello from the debuggee', { kind: 'other', text: 'hello from the debuggee' }],
    ['^done,memory=[]', { kind: 'result', token: undefined, className: 'done', fields: { memory: [] } }],
  ];
  for (const [line, expected] of recorded)
    it(`reads ${line.slice(0, 40)}`, () => assert.deepEqual(parseMiLine(line), expected));

  it('reads a stop with its frame and arguments', () => {
    const record = parseMiLine(
      '*stopped,reason="breakpoint-hit",disp="keep",bkptno="1",frame={addr="0x0000555555555144",func="f",' +
        'args=[{name="p",value="0x7fffffffe6b0"},{name="k",value="3"}],file="/tmp/t.c",line="4"},' +
        'thread-id="1",stopped-threads="all",core="0"',
    );
    assert.equal(record.kind, 'exec');
    if (record.kind !== 'exec') return;
    assert.equal(text(tuple(record.fields, 'frame'), 'func'), 'f');
    assert.deepEqual(
      tuples(tuple(record.fields, 'frame'), 'args').map((one) => text(one, 'name')),
      ['p', 'k'],
    );
  });

  it('drops the names in a list of results', () => {
    const record = parseMiLine('^done,stack=[frame={level="0"},frame={level="1"}]');
    assert.ok(record.kind === 'result');
    assert.deepEqual(record.fields.stack, [{ level: '0' }, { level: '1' }]);
  });

  it('reads the locations that older gdbs write after a breakpoint', () => {
    const record = parseMiLine(
      '^done,bkpt={number="1",addr="<MULTIPLE>"},{number="1.1",addr="0x1"},{number="1.2",addr="0x2"}',
    );
    assert.ok(record.kind === 'result');
    assert.deepEqual((record.fields[''] as unknown[]).length, 2);
  });

  it('puts octal bytes together to characters', () => {
    assert.deepEqual(parseMiLine('~"gr\\303\\274n \\033[0m\\\\"'), { kind: 'console', text: 'grün \x1b[0m\\' });
  });

  for (const broken of [
    '^done,value=',
    '^done,value="open',
    '*stopped,frame={addr="1"',
    '^done value="1"',
    '^done,list=["a"',
  ])
    it(`refuses ${broken}`, () => assert.throws(() => parseMiLine(broken), MiSyntaxError));

  it('quotes arguments so that they come back', () => {
    for (const given of ['plain', 'a "b" \\c', 'two\nlines\tand', '{"json": "\\u00e9"}']) {
      const record = parseMiLine(`~${quoteMi(given)}`);
      assert.deepEqual(record, { kind: 'console', text: given });
    }
  });
});
