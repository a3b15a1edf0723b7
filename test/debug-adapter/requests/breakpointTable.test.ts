/** Which breakpoints of gdb's stand for the client's, with a gdb that answers from a list. */
import assert from 'node:assert/strict';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { ChronoforkError } from '../../../debug-adapter/errors.js';
import type { Gdb } from '../../../debug-adapter/gdb/miConnection.js';
import { parseMiLine, type MiTuple } from '../../../debug-adapter/gdb/miParser.js';
import {
  BreakpointTable,
  parseHitCondition,
  type BreakpointSpec,
} from '../../../debug-adapter/requests/breakpointTable.js';

function fields(line: string): MiTuple {
  const record = parseMiLine(line);
  assert.ok('fields' in record);
  return record.fields;
}

/** Answers -break-insert from a list, and remembers what was said. */
class ScriptedGdb implements Gdb {
  readonly said: string[] = [];
  constructor(private readonly answers: ({ line: string; log?: string } | Error)[]) {}
  async command(command: string): Promise<MiTuple> {
    this.said.push(command);
    return {};
  }
  async commandWithLog(command: string): Promise<{ fields: MiTuple; log: string }> {
    this.said.push(command);
    const answer = this.answers.shift();
    if (!answer) throw new Error(`no answer for ${command}`);
    if (answer instanceof Error) throw answer;
    return { fields: fields(answer.line), log: answer.log ?? '' };
  }
  async call<T>(): Promise<T> {
    throw new Error('not used');
  }
  async console(): Promise<string> {
    throw new Error('not used');
  }
}

const at = (line: number, more: Partial<BreakpointSpec> = {}): BreakpointSpec => ({
  kind: 'source',
  where: `--source "/a.c" --line ${line}`,
  linespec: '',
  path: '/a.c',
  line,
  ...more,
});

const placed = (number: number, line: number) => ({
  line: `^done,bkpt={number="${number}",addr="0x00005555",func="f",fullname="/a.c",line="${line}",times="0"}`,
});

describe('breakpointTable', () => {
  it('keeps what did not change, and takes away what is gone', async () => {
    const gdb = new ScriptedGdb([placed(1, 5), placed(2, 9), placed(3, 12)]);
    const table = new BreakpointTable(gdb, () => undefined);
    const first = await table.replace('source:/a.c', [at(5), at(9)]);
    const second = await table.replace('source:/a.c', [at(9), at(12)]);
    assert.equal(second[0]?.id, first[1]?.id);
    assert.deepEqual(gdb.said.slice(2), ['-break-delete 1', '-break-insert -f --source "/a.c" --line 12']);
  });

  it('shows the line that gdb chose', async () => {
    const table = new BreakpointTable(new ScriptedGdb([placed(1, 7)]), () => undefined);
    const [shown] = await table.replace('source:/a.c', [at(5)]);
    assert.equal(shown?.line, 7);
    assert.equal(shown?.verified, true);
  });

  it('tells when a pending one finds its code', async () => {
    const changes: DebugProtocol.Breakpoint[] = [];
    const pending = {
      line: '^done,bkpt={number="1",addr="<PENDING>",pending="x"}',
      log: 'No source file named /a.c.\n',
    };
    const table = new BreakpointTable(new ScriptedGdb([pending]), (one) => changes.push(one));
    const [shown] = await table.replace('source:/a.c', [at(5)]);
    assert.equal(shown?.verified, false);
    assert.match(shown?.message ?? '', /No loaded code was built from a\.c/);
    table.modified(fields(`=breakpoint-modified,${placed(1, 5).line.slice('^done,'.length)}`));
    assert.deepEqual(
      changes.map(({ id, verified, line }) => [id, verified, line]),
      [[shown?.id, true, 5]],
    );
    table.modified(fields(`=breakpoint-modified,${placed(1, 5).line.slice('^done,'.length)}`));
    assert.equal(changes.length, 1, 'a hit count alone is no news');
  });

  it('says why gdb refused', async () => {
    const refused = new ChronoforkError('gdbRefused', 'No symbol "k" in current context.');
    const table = new BreakpointTable(new ScriptedGdb([refused]), () => undefined);
    const [shown] = await table.replace('source:/a.c', [at(5, { condition: 'k' })]);
    assert.deepEqual([shown?.verified, shown?.message], [false, 'No symbol "k" in current context.']);
  });

  it('ignores hits before the one that is wanted, and is spent after it', async () => {
    const gdb = new ScriptedGdb([placed(1, 5), placed(2, 6)]);
    const table = new BreakpointTable(gdb, () => undefined);
    await table.replace('source:/a.c', [at(5, { hitCondition: '4' }), at(6, { hitCondition: '%3' })]);
    assert.ok(gdb.said.includes('-break-after 1 3'));
    await table.afterHit(1);
    assert.equal(gdb.said.at(-1), '-break-disable 1');
    await table.afterHit(2);
    assert.equal(gdb.said.at(-1), '-break-after 2 2');
  });

  it('shows the first of several places', async () => {
    const several = {
      line:
        '^done,bkpt={number="1",addr="<MULTIPLE>",locations=[' +
        '{number="1.1",addr="0x11",line="5",fullname="/a.c"},{number="1.2",addr="0x22",line="5",fullname="/a.c"}]}',
    };
    const table = new BreakpointTable(new ScriptedGdb([several]), () => undefined);
    const [shown] = await table.replace('source:/a.c', [at(4)]);
    assert.deepEqual([shown?.verified, shown?.line, shown?.instructionReference], [true, 5, '0x11']);
  });

  const hits: [string, { ignore: number; once: boolean }][] = [
    ['3', { ignore: 2, once: true }],
    ['== 3', { ignore: 2, once: true }],
    ['>=3', { ignore: 2, once: false }],
    ['>3', { ignore: 3, once: false }],
    ['%3', { ignore: 2, once: false }],
    ['', { ignore: 0, once: false }],
  ];
  for (const [text, expected] of hits)
    it(`understands the hit count "${text}"`, () => assert.deepEqual(parseHitCondition(text), expected));
  it('refuses other hit counts', () => assert.throws(() => parseHitCondition('often'), /use N, >N, >=N or %N/));
});
