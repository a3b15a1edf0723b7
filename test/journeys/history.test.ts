/** What happened when (chronofork/history), and going to an event or a time. */
import assert from 'node:assert/strict';
import type { Arrival, History, HistoryMark, OutputMark, ThreadMark } from '../../debug-adapter/protocol/timeTravel.js';
import type { RequestFailed } from '../dsl/adapterClient.js';
import { debugTest, type Journey } from '../dsl/debugTest.js';

type Seek = { event: number; branch?: number; passing?: boolean } | { timeMs: number; branch?: number };

function isOutput(mark: HistoryMark): mark is OutputMark {
  return mark.kind === 'output';
}

/** The other threads that marks of a kind are about. */
function othersOf(marks: readonly HistoryMark[], kind: ThreadMark['kind']): number[] {
  return marks.flatMap((mark) => (mark.kind === kind ? [(mark as ThreadMark).other] : []));
}

async function history(s: Journey, more: object = {}): Promise<History> {
  return s.client.timeTravel('chronofork/history', more);
}

async function seek(s: Journey, target: Seek): Promise<Arrival & { text: string }> {
  s.client.forget('stopped');
  const arrival = await s.client.timeTravel('chronofork/seek', target);
  return { ...arrival, text: (await s.stopped()).text };
}

/** The innermost stack frame of the program's own source. */
async function ownPlace(s: Journey): Promise<string | undefined> {
  const own = (await s.stack()).find(({ source }) => source?.path === s.program.source);
  return own && (s.program.markAt.get(own.line) ?? `${own.name}:${own.line}`);
}

async function ownValue(s: Journey, expression: string): Promise<string> {
  const own = (await s.stack()).find(({ source }) => source?.path === s.program.source);
  return s.evaluate(expression, { frameId: own?.id });
}

async function toEnd(s: Journey, mark = 'return'): Promise<History> {
  await s.breakAt(mark);
  await s.run();
  return history(s);
}

describe('the history of a run', () => {
  debugTest('has its output line by line, signals, threads and stops, in order', 'history.c', async (s) => {
    const { marks, settled, extent, complete } = await toEnd(s);
    const events = marks.map(({ event }) => event);
    assert.deepEqual(
      events,
      [...events].sort((a, b) => a - b),
    );
    assert.deepEqual(
      marks.filter(isOutput).map(({ stream, text }) => `${stream} ${text}`),
      [
        ...[1, 2, 3, 4, 5].map((round) => `stdout round ${round} of 5`),
        'stderr to error',
        'stdout worker one',
        'stdout caught 10',
      ],
    );
    const signals = marks.filter((mark) => mark.kind === 'signal');
    assert.deepEqual(
      signals.map(({ signal, handled }) => [signal, handled]),
      [['SIGUSR1', true]],
    );
    const begun = othersOf(marks, 'threadBegin');
    assert.equal(begun.length, 1);
    assert.deepEqual(othersOf(marks, 'threadEnd'), begun);
    assert.ok(othersOf(marks, 'threadSwitch').includes(begun[0]!));
    const stops = marks.filter((mark) => mark.kind === 'stop');
    assert.deepEqual(
      stops.map(({ reason, location }) => [reason, location?.line]),
      [['breakpoint', s.line('return')]],
    );
    assert.equal(settled, extent.toEvent);
    assert.equal(complete, true);
    const times = marks.map(({ timeMs }) => timeMs);
    assert.deepEqual(
      times.filter((time) => time < extent.fromMs || time > extent.toMs),
      [],
      JSON.stringify(extent),
    );
  });

  debugTest('leads to the call that wrote a line', 'history.c', async (s) => {
    const { marks } = await toEnd(s);
    for (const round of [4, 2, 5]) {
      const line = marks.filter(isOutput).find(({ text }) => text === `round ${round} of 5`)!;
      const arrival = await seek(s, { event: line.event });
      assert.equal(arrival.outcome, 'found');
      assert.equal(arrival.moment.event, line.event);
      assert.equal(await ownValue(s, 'i'), String(round));
    }
    const error = marks.filter(isOutput).find(({ text }) => text === 'to error')!;
    await seek(s, { event: error.event });
    assert.equal(await ownPlace(s), 'error');
    const worker = marks.filter(isOutput).find(({ text }) => text === 'worker one')!;
    await seek(s, { event: worker.event });
    assert.equal(s.threadId, worker.threadId);
    assert.match(await ownValue(s, '(const char *)argument'), / "one"$/);
  });

  debugTest('leads to signals, switches and the end', 'history.c', async (s) => {
    const { marks, extent } = await toEnd(s);
    const signal = marks.find((mark) => mark.kind === 'signal')!;
    await seek(s, { event: signal.event });
    assert.equal(await ownPlace(s), 'raise');
    assert.equal(await s.evaluate('(int)caught'), '0');
    await s.client.request('next', { threadId: s.threadId });
    await s.stopped();
    for (const mark of marks.filter(({ kind }) => kind === 'threadSwitch')) {
      const { moment } = await seek(s, { event: mark.event });
      assert.equal(moment.event, mark.event + 1);
      if (mark.kind === 'threadSwitch') assert.equal(s.threadId, mark.other);
    }
    const arrival = await seek(s, { event: extent.toEvent });
    assert.equal(arrival.outcome, 'end');
    assert.equal(arrival.text, 'return');
    await assert.rejects(
      s.client.timeTravel('chronofork/seek', { event: extent.toEvent + 1 }),
      (error: RequestFailed) => error.code === 'noSuchEvent',
    );
  });

  debugTest('leads to a time: to the last event or checkpoint until then', 'history.c', async (s) => {
    const { marks, extent } = await toEnd(s);
    const lines = marks.filter(isOutput);
    const times = [...new Set(marks.map(({ timeMs }) => timeMs))];
    for (const line of lines) {
      const { moment } = await seek(s, { timeMs: line.timeMs });
      assert.ok(moment.timeMs <= line.timeMs + 1e-6, `${moment.timeMs} is later than ${line.timeMs}`);
      assert.ok(moment.event > line.event, 'behind the event of that time');
      const later = times.find((time) => time > line.timeMs) ?? Infinity;
      assert.ok(moment.timeMs < later);
    }
    assert.equal((await seek(s, { timeMs: 0 })).moment.event, 0);
    assert.equal((await seek(s, { timeMs: extent.toMs + 1 })).outcome, 'end');
  });

  debugTest('leaves nothing where one only passes', 'history.c', async (s) => {
    const { marks } = await toEnd(s);
    const { checkpoints } = await s.client.timeTravel('chronofork/timeline', {});
    for (const { event } of marks.filter(isOutput)) await seek(s, { event, passing: true });
    await s.client.timeTravel('chronofork/seek', { to: 'end' });
    await s.stopped();
    const after = await s.client.timeTravel('chronofork/timeline', {});
    assert.equal(after.checkpoints.length, checkpoints.length);
  });

  debugTest('comes in pages, by kind, and as an overview', 'history.c', async (s) => {
    const whole = await toEnd(s);
    const pages: HistoryMark[] = [];
    let fromEvent: number | undefined = 0;
    while (fromEvent !== undefined) {
      const page: History = await history(s, { fromEvent, count: 3 });
      pages.push(...page.marks);
      fromEvent = page.next;
    }
    assert.deepEqual(pages, whole.marks);
    const lines = await history(s, { kinds: ['output'] });
    assert.deepEqual(lines.marks, whole.marks.filter(isOutput));
    const { overview, marks } = await history(s, { count: 0, buckets: 20 });
    assert.deepEqual(marks, []);
    const counted = Object.values(overview!.counts).flat();
    assert.equal(
      counted.reduce((sum, count) => sum + count, 0),
      whole.marks.length,
    );
    const busy = overview!.threads.flatMap(({ busyMs }) => [...busyMs]).reduce((sum, ms) => sum + ms, 0);
    assert.ok(Math.abs(busy - (overview!.toMs - overview!.fromMs)) < 1e-3, 'one thread runs at each time');
    assert.equal(overview!.threads.length, 2);
  });

  debugTest('tells how much memory was written between checkpoints', 'history.c', async (s) => {
    await s.breakAt('error');
    await s.breakAt('computed');
    await s.run();
    await s.client.timeTravel('chronofork/checkpoint', { action: 'create' });
    await s.clear('computed');
    await s.step('continue');
    await s.client.timeTravel('chronofork/checkpoint', { action: 'create' });
    const { memory } = await history(s);
    const most = Math.max(...memory.map(({ bytes }) => bytes));
    assert.ok(most >= 4 << 20 && most < 5 << 20, JSON.stringify(memory));
  });

  debugTest('is each branch’s own', 'history.c', async (s) => {
    const { marks } = await toEnd(s);
    const third = marks.filter(isOutput).find(({ text }) => text === 'round 3 of 5')!;
    await seek(s, { event: third.event });
    const own = (await s.stack()).find(({ source }) => source?.path === s.program.source);
    await s.client.request('setExpression', { expression: 'rounds', value: '4', frameId: own?.id });
    await s.client.timeTravel('chronofork/branch', { name: 'shorter' });
    await s.step('continue');
    const branch = await history(s);
    assert.equal(branch.branch, 1);
    assert.deepEqual(
      branch.marks.filter(isOutput).map(({ text }) => text),
      ['round 3 of 4', 'round 4 of 4', 'to error', 'worker one', 'caught 10'],
    );
    assert.equal(branch.extent.fromEvent, third.event);
    assert.ok(branch.marks.every(({ event }) => event >= third.event));
    const first = await history(s, { branch: 0 });
    assert.deepEqual(first.marks.filter(isOutput), marks.filter(isOutput));
    // From here to a line of the other branch, and back to one of this.
    const fifth = marks.filter(isOutput).find(({ text }) => text === 'round 5 of 5')!;
    assert.equal((await seek(s, { event: fifth.event, branch: 0 })).moment.branch, 0);
    assert.equal(await ownValue(s, 'i'), '5');
    const fourth = branch.marks.filter(isOutput).find(({ text }) => text === 'round 4 of 4')!;
    assert.equal((await seek(s, { event: fourth.event, branch: 1 })).moment.branch, 1);
    assert.equal(await ownValue(s, 'i'), '4');
  });
});

describe('the history of a program that runs', () => {
  debugTest('is known without waiting for it', 'ticker.c', { launch: { args: ['3000'] } }, async (s) => {
    await s.launch();
    await s.client.request('configurationDone');
    await s.client.outputHas('stdout', 'ready\n');
    let known = await history(s);
    for (let i = 0; i < 200 && known.extent.toEvent < 500; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      known = await history(s);
    }
    assert.ok(known.extent.toEvent >= 500);
    assert.deepEqual(
      known.marks.filter(isOutput).map(({ text }) => text),
      ['ready'],
    );
    await s.client.request('pause', { threadId: 1 });
    await s.stopped();
    assert.ok((await history(s)).extent.toEvent >= known.extent.toEvent);
  });
});
