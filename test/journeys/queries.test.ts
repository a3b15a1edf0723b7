/** Queries over the whole past, each compared with an oracle that has stepped through the program. */
import assert from 'node:assert/strict';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type {
  CallRow,
  DifferenceRow,
  FunctionRange,
  LineHits,
  LogRow,
  QueryBody,
  Timeline,
  ValueRow,
  WriteRow,
} from '../../debug-adapter/protocol/timeTravel.js';
import { debugTest, type Journey, type JourneyOptions } from '../dsl/debugTest.js';
import { askOracle, type OracleAnswer } from '../dsl/oracle.js';
import { program } from '../dsl/programs.js';

type Rows<R> = QueryBody & { rows: R[] };

/** Many checkpoints, so that an answer is put together from many intervals. */
const options = { launch: { checkpoints: { intervalMs: 1 } } };

const lines = [
  'base',
  'small',
  'recurse',
  'half',
  'move',
  'word',
  'read',
  'start',
  'loop',
  'said',
  'add',
  'odd',
  'put',
];
const histories = [
  { name: 'a number', at: 'keep', expression: 'total' },
  { name: 'a local variable', at: 'recurse', expression: 'n' },
  { name: 'a sum', at: 'keep', expression: 'total + i' },
  { name: 'a floating point number', at: 'where', expression: 'mean' },
  { name: 'a struct', at: 'volume', expression: 'where' },
  { name: 'an array', at: 'put', expression: 'values' },
  { name: 'a string', at: 'test', expression: 'said' },
  { name: 'characters', at: 'put', expression: 'name' },
  { name: 'what is pointed to', at: 'loop', expression: 'block[1]' },
  { name: 'a floating point sum', at: 'where', expression: 'mean + 0.5' },
  { name: 'some of the hits', at: 'keep', expression: 'i', condition: 'i % 3 == 1 && total > 20' },
];

let truth: OracleAnswer;

/** The present, as far as a person sees it. */
async function seen(s: Journey): Promise<{ moment: number; live: boolean; stack: unknown; total: string }> {
  const { present, live } = await s.client.request<Timeline>('chronofork/timeline');
  return {
    moment: present.id,
    live,
    stack: (await s.stack()).map(({ name, line }) => [name, line]),
    total: await s.evaluate('total'),
  };
}

async function atPrint(s: Journey): Promise<void> {
  await s.walk(`
    break print
    run               -> print
  `);
}

const at = (s: Journey, mark: string) => ({ source: { path: s.program.source }, line: s.line(mark) });

/** All rows, in pages. */
async function all<R>(s: Journey, request: string, args: object, perPage = 7): Promise<R[]> {
  const rows: R[] = [];
  let page = await s.client.request<Rows<R>>(request, { ...args, count: perPage });
  for (;;) {
    rows.push(...page.rows);
    if (!page.more) break;
    page = await s.client.request<Rows<R>>(request, { query: page.query, start: rows.length, count: perPage });
  }
  assert.equal(rows.length, page.total);
  assert.equal(page.complete, true);
  return rows;
}

/** Some of them: first, middle, last. */
function some<T>(rows: readonly T[]): T[] {
  return [...new Set([0, Math.floor(rows.length / 2), rows.length - 1])].map((index) => rows[index]!);
}

async function seek(s: Journey, moment: number): Promise<string> {
  return (await s.step('chronofork/seek', { moment })).text;
}

describe('queries', function () {
  before(function () {
    this.timeout(120_000);
    truth = askOracle(program('queries.c'), {
      until: 'print',
      lines,
      values: histories,
      watch: ['total', 'where', 'incoming', 'name'],
      functions: ['fibonacci', 'half', 'word', 'boxed'],
    });
    assert.ok(truth.steps > 1000, 'the oracle has stepped through the program');
  });

  debugTest('hit counts of a file', 'queries.c', options, async (s) => {
    await atPrint(s);
    const before = await seen(s);
    const {
      lines: found,
      complete,
      total,
    } = await s.client.request<QueryBody & { lines: LineHits[] }>('chronofork/hitCounts', {
      source: { path: s.program.source },
      count: 1000,
    });
    assert.equal(complete, true);
    assert.equal(found.length, total);
    const counts = new Map(found.map(({ line, count }) => [line, count]));
    assert.deepEqual(Object.fromEntries(lines.map((mark) => [mark, counts.get(s.line(mark))])), truth.counts);
    assert.equal(counts.get(s.line('return')), 0);
    assert.deepEqual(await seen(s), before);
    // From the past the same, and of a part of it less.
    await s.walk('stepBack          -> found');
    const { present } = await s.client.request<Timeline>('chronofork/timeline');
    const one = { ...at(s, 'add'), endLine: s.line('add') };
    const count = async (more: object) =>
      (await s.client.request<{ lines: LineHits[] }>('chronofork/hitCounts', { ...one, ...more })).lines;
    assert.deepEqual(await count({}), [{ line: s.line('add'), count: 12 }]);
    assert.deepEqual(await count({ to: present.id }), [{ line: s.line('add'), count: 12 }]);
    assert.deepEqual(await count({ from: present.id }), [{ line: s.line('add'), count: 0 }]);
    await s.walk('next              -> print');
  });

  for (const { name, at: mark, expression, condition } of histories)
    debugTest(`the past values of ${name}`, 'queries.c', options, async (s) => {
      await atPrint(s);
      const before = await seen(s);
      const rows = await all<ValueRow>(s, 'chronofork/valueHistory', { ...at(s, mark), expression, condition });
      assert.deepEqual(
        rows.map(({ value }) => value),
        truth.values[name],
      );
      assert.deepEqual(await seen(s), before);
      for (const { moment, value } of some(rows)) {
        assert.equal(await seek(s, moment.id), mark);
        assert.equal(await s.evaluate(expression), value);
      }
    });

  debugTest('a logpoint over the past', 'queries.c', options, async (s) => {
    await atPrint(s);
    const message = 'total {total}, {said} {{not}}';
    const rows = await all<LogRow>(s, 'chronofork/log', { ...at(s, 'keep'), message }, 5);
    const totals = truth.values['a number']!;
    assert.deepEqual(
      rows.map(({ text }) => text),
      totals.map((total, index) => `total ${total}, ${index % 2 ? 'odd' : 'even'} {not}`),
    );
    await seek(s, rows[5]!.moment.id);
    assert.equal(await s.evaluate('i'), '5');
    await s.walk('next              -> mean');
  });

  for (const name of ['total', 'where', 'incoming', 'name'])
    debugTest(`all writes to ${name}`, 'queries.c', options, async (s) => {
      await atPrint(s);
      const before = await seen(s);
      const rows = await all<WriteRow>(s, 'chronofork/writes', { expression: name, levels: 3 });
      const changing = rows.filter(({ oldValue, newValue }) => oldValue !== newValue);
      assert.deepEqual(
        changing.map(({ oldValue, newValue }) => ({ old: oldValue, new: newValue })),
        truth.writes[name]!.map(({ old, new: after }) => ({ old, new: after })),
      );
      if (name !== 'incoming')
        assert.deepEqual(
          changing.map(({ stack }) => stack?.[0]?.line),
          truth.writes[name]!.map(({ line }) => line),
        );
      assert.deepEqual(
        changing.map(({ by }) => by),
        changing.map(() => (name === 'incoming' ? 'kernel' : 'program')),
      );
      for (const { location, stack } of rows) if (name !== 'incoming') assert.equal(location.line, stack?.[0]?.line);
      assert.deepEqual(await seen(s), before);
      for (const { moment, oldValue } of some(rows)) {
        await seek(s, moment.id);
        assert.equal(await s.evaluate(`::${name}`.slice(2)), oldValue);
      }
    });

  for (const name of ['fibonacci', 'half', 'word', 'boxed'])
    debugTest(`all calls of ${name}`, 'queries.c', options, async (s) => {
      await atPrint(s);
      const before = await seen(s);
      const rows = await all<CallRow>(s, 'chronofork/calls', { function: name }, 20);
      assert.deepEqual(
        rows.map((row) => ({ arguments: row.arguments.map(({ value }) => value), returned: row.returned })),
        truth.calls[name]!.map(({ arguments: args, returned }) => ({ arguments: args, returned })),
      );
      const values = rows.map(({ returnValue }) => returnValue);
      if (name === 'fibonacci')
        assert.deepEqual(
          values,
          truth.calls[name]!.map(({ rax }) => String(Number(rax) & 0x7fffffff)),
        );
      if (name === 'half')
        assert.deepEqual(
          values,
          rows.map((row) => String(Number(row.arguments[0]!.value) / 2)),
        );
      if (name === 'boxed') assert.deepEqual(values.slice(0, 2), ['{sides = {0, 1, 2}}', '{sides = {1, 2, 3}}']);
      assert.deepEqual(await seen(s), before);
      for (const row of some(rows)) {
        await seek(s, row.moment.id);
        assert.equal(await s.evaluate(row.arguments[0]!.name), row.arguments[0]!.value);
        assert.equal((await s.stack())[1]?.line, row.caller?.line);
      }
    });

  debugTest('what differs between two moments', 'queries.c', options, async (s) => {
    await atPrint(s);
    const rows = await all<ValueRow>(s, 'chronofork/valueHistory', { ...at(s, 'put'), expression: 'total' });
    const [from, to] = [rows[3]!.moment.id, rows[6]!.moment.id];
    await seek(s, from);
    const bookmark = await s.client.request<{ checkpoint: { moment: { id: number } } }>('chronofork/checkpoint', {
      action: 'create',
    });
    await seek(s, to);
    const before = await seen(s);
    const found = await all<DifferenceRow>(
      s,
      'chronofork/diff',
      { from: bookmark.checkpoint.moment.id, to: before.moment },
      100,
    );
    assert.deepEqual(await seen(s), before);
    const of = (place: string) => found.find((row) => row.place === place);
    const total = of('total');
    assert.deepEqual([total?.kind, total?.oldValue, total?.newValue], ['global', rows[3]!.value, rows[6]!.value]);
    assert.deepEqual(
      [of('i in main()')?.kind, of('i in main()')?.oldValue, of('i in main()')?.newValue],
      ['stack', '3', '6'],
    );
    assert.ok(
      found.some(({ kind, place }) => kind === 'heap' && /^heap block 0x[0-9a-f]+ \+ \d+$/.test(place)),
      JSON.stringify(found),
    );
    assert.ok(!found.some(({ place }) => place === 'incoming'), 'what is the same is no difference');
  });

  debugTest('what cannot be asked is refused with a sentence', 'queries.c', options, async (s) => {
    await atPrint(s);
    const refused = async (request: string, args: object) => (await s.client.refusal(request, args)).message;
    assert.match(
      await refused('chronofork/valueHistory', { ...at(s, 'add'), expression: 'total = 3' }),
      /would change/,
    );
    assert.match(
      await refused('chronofork/valueHistory', { ...at(s, 'add'), expression: 'i', condition: 'mean > 1.5' }),
      /integers/,
    );
    assert.match(
      await refused('chronofork/valueHistory', {
        source: { path: s.program.source },
        line: 1,
        expression: 'i',
        condition: '',
      }),
      /no code/,
    );
    assert.match(await refused('chronofork/calls', { function: 'nobody' }), /no function nobody/);
    assert.match(await refused('chronofork/writes', { address: '0x1000', size: 4000 }), /four places/);
    assert.match(await refused('chronofork/hitCounts', { query: 123456 }), /no longer kept/);
    await s.client.request('setExpression', { expression: 'total', value: '5', frameId: s.last!.stackFrame!.id });
    await s.walk('continue          -> exit 0');
  });

  const long: JourneyOptions = {
    client: { supportsProgressReporting: true },
    launch: { args: ['1'] },
    timeout: 120_000,
  };

  debugTest(
    'a long query shows progress, is cancelled, and leaves the session as it was',
    'longRun.c',
    long,
    async (s) => {
      await s.walk(`
      break done
      run               -> done
    `);
      const { present } = await s.client.request<Timeline>('chronofork/timeline');
      // Written some hundred million times.
      const { seq, answer } = s.client.begin('chronofork/writes', { expression: 'shared.sum' });
      const start = await s.client.event<DebugProtocol.ProgressStartEvent>(
        'progressStart',
        (body) => body.requestId === seq,
      );
      // On a busy machine the core may not even have begun when progress is shown first.
      await s.client.event<DebugProtocol.ProgressUpdateEvent>(
        'progressUpdate',
        (body) => body.progressId === start.progressId,
      );
      assert.equal((await s.client.refusal('next', { threadId: s.threadId })).id, 1402);
      await s.client.request('cancel', { progressId: start.progressId });
      await s.client.event('progressEnd', (body) => (body as { progressId: string }).progressId === start.progressId);
      const found = (await answer) as Rows<WriteRow>;
      assert.equal(found.complete, false);
      assert.match(found.message ?? '', /Cancelled/);
      assert.ok(found.total > 10 && found.rows.length > 10, `${found.total} rows`);
      assert.equal((await s.client.request<Timeline>('chronofork/timeline')).present.id, present.id);
      // What was found can be gone to.
      await seek(s, found.rows[7]!.moment.id);
      assert.equal(await s.evaluate('shared.sum'), found.rows[7]!.oldValue);
      await s.walk('seek end          -> done');
    },
  );

  const count = (s: Journey, part: object) =>
    s.client.request<{ lines: LineHits[]; functions?: (FunctionRange & { count: number })[] }>('chronofork/hitCounts', {
      source: { path: s.program.source },
      count: 100,
      ...part,
    });

  /** Found by gdb itself, for each line by itself. */
  const countOneByOne = async (s: Journey, lines: readonly LineHits[]) => {
    const byOne = [];
    for (const { line } of lines) byOne.push(...(await count(s, { line, endLine: line })).lines);
    return byOne;
  };

  for (const { flags, calls } of [
    { flags: ['-g', '-O0'], calls: [1, 3, 1, 1] },
    // Here the constructor and the destructor are inlined.
    { flags: ['-g', '-O2'], calls: [1, 3, 0, 0] },
  ])
    debugTest(`counts the lines of a file at once as one by one (${flags[1]})`, 'inlined.cc', { flags }, async (s) => {
      await s.walk('run -> exit 0');
      const { lines: all, functions } = await count(s, { functions: true });
      assert.ok(all.length > 15);
      assert.ok(all.some((one) => one.count > 1));
      assert.deepEqual(all, await countOneByOne(s, all));
      const called = new Map(functions?.map((one) => [one.name, one.count]));
      const odd = functions?.find(({ name }) => name === 'a::odd(int)');
      assert.deepEqual([odd?.line, odd?.endLine], [22, 30], 'no line of what is inlined into it');
      assert.deepEqual(
        ['main()', 'a::odd(int)', 'a::S::S(int)', 'a::S::~S()'].map((name) => called.get(name)),
        calls,
        `each call once: ${JSON.stringify(functions)}`,
      );
      // At -O2 others are inlined right at their entries.
      const callsOf = async (name: string) => {
        const { rows } = await s.client.request<Rows<CallRow>>('chronofork/calls', { function: name, count: 100 });
        return rows.map((row) => [row.arguments.map((one) => `${one.name}=${one.value}`).join(), row.returnValue]);
      };
      const ofOdd = [
        ['x=3', '37'],
        ['x=2', '263'],
        ['x=1', '43'],
      ];
      for (const name of ['a::odd(int)', 'a::odd', 'odd']) assert.deepEqual(await callsOf(name), ofOdd);
      assert.deepEqual(await callsOf('a::shifted'), [['by=300,x=2', '9235202']]);
    });

  debugTest('knows the lines of functions far down in a file', 'farDown.c', async (s) => {
    await s.walk('run -> exit 0');
    const { functions } = await s.client.request<{ functions: object[] }>('chronofork/hitCounts', {
      source: { path: s.program.source },
      functions: true,
    });
    assert.deepEqual(functions, [
      { name: 'twice', line: 70001, endLine: 70003, count: 1 },
      { name: 'main', line: 70005, endLine: 70007, count: 1 },
    ]);
  });

  const second = program('replaced.c', ['-g', '-O0', '-DSECOND']);
  debugTest(
    'knows where the lines are of a program that another has become',
    'replaced.c',
    { launch: { args: [second.executable] } },
    async (s) => {
      await s.walk('break replaced\nrun -> replaced');
      const before = (await count(s, {})).lines;
      assert.deepEqual(before, await countOneByOne(s, before));
      await s.clear('replaced');
      await s.walk('continue -> exit 0');
      const { lines: after, functions } = await count(s, { functions: true });
      assert.deepEqual(after, await countOneByOne(s, after));
      assert.deepEqual(
        functions?.map((one) => [one.name, one.count]),
        [
          ['work', 5],
          ['main', 1],
        ],
      );
    },
  );

  // Libraries that lie at the same place one after the other: the first twice, another, and the first again.
  const plugin = (factor: number) =>
    program('plugins.c', ['-g', '-O0', '-shared', '-fPIC', `-DFACTOR=${factor}`]).executable;
  const plugins = [plugin(2), plugin(2), plugin(300000), plugin(2)];
  for (const checkpoints of [{}, { intervalEvents: 5 }])
    debugTest(
      `takes no library for another that lay at its place (${JSON.stringify(checkpoints)})`,
      'plugins.c',
      { launch: { args: plugins, checkpoints } },
      async (s) => {
        await s.walk('break last\nrun -> last');
        const line = s.line('work');
        assert.deepEqual((await count(s, { line, endLine: line })).lines, [{ line, count: 9 }]);
        const calls = await all<CallRow>(s, 'chronofork/calls', { function: 'work' });
        assert.deepEqual(
          calls.map(({ returnValue }) => returnValue),
          ['2', '4', '6', '4', '6', '8', '8', '10', '12'],
        );
        await s.breakAt('work');
        for (const [library, factor] of [2, 300000, 2, 2].entries())
          for (const call of [6, 5, 4]) {
            // The instruction that multiplies: add, or imul.
            await s.walk(`
              reverseContinue                      -> work
              value number                         -> ${call - library}
              value *((unsigned char *)work+10)+0  -> ${factor === 2 ? 0x01 : 0x69}
            `);
          }
        await s.walk('reverseContinue -> beginning at _start [ld-linux-x86-64.so.2]:0');
      },
    );
});
