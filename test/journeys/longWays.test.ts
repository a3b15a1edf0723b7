/** Ways through time that take long: their progress, and their end before their time. */
import assert from 'node:assert/strict';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Arrival } from '../../debug-adapter/protocol/timeTravel.js';
import { debugTest, type Journey, type JourneyOptions } from '../dsl/debugTest.js';

type Start = DebugProtocol.ProgressStartEvent;
type Update = DebugProtocol.ProgressUpdateEvent;
type End = DebugProtocol.ProgressEndEvent;

const options: JourneyOptions = {
  client: { supportsProgressReporting: true },
  // Seconds: what is searched must take longer than the half second in which no progress is shown.
  launch: { args: ['2'] },
  timeout: 120_000,
};

/** To the end of the computation. */
async function computed(s: Journey): Promise<void> {
  await s.walk(`
    break done
    run               -> done
    clear done
  `);
}

/** All that a user sees of the present. */
async function seen(s: Journey): Promise<unknown> {
  const locals = (await s.locals()).map(({ name, value }) => `${name} = ${value}`);
  const [stackFrame] = await s.stack(1);
  const { moment } = await s.client.timeTravel('chronofork/present', {});
  return { locals, pc: stackFrame?.instructionPointerReference, moment: moment.id };
}

/** The progress that is under way, once it is shown. */
async function shownProgress(s: Journey, requestId: number): Promise<string> {
  // A busy machine may have shown that of a step before.
  const start = await s.client.event<Start>('progressStart', (body) => body.requestId === requestId);
  assert.equal(start.cancellable, true);
  const update = await s.client.event<Update>('progressUpdate', (body) => body.progressId === start.progressId);
  assert.ok((update.percentage ?? -1) >= 0 && (update.percentage ?? 101) <= 100, JSON.stringify(update));
  return start.progressId;
}

/** The session is as if nothing had been asked for, and of use. */
async function isBackAndWorks(s: Journey, before: unknown): Promise<void> {
  assert.equal((await s.stopped()).text, 'done');
  assert.equal(s.last?.body.reason, 'pause');
  assert.deepEqual(await seen(s), before);
  await s.walk(`
    stepBack          -> loop
    next              -> done
    next              -> flush
    next              -> return
    stepBack          -> flush
    continue          -> exit 0
  `);
  assert.equal(s.client.output.stdout, 'computed\n');
}

type Ask = (s: Journey) => { seq: number; answer: Promise<unknown> };

const ways: [name: string, ask: Ask][] = [
  ['reverse continue', (s) => s.client.begin('reverseContinue', { threadId: s.threadId })],
  [
    'a search for the last write',
    (s) => s.client.begin('chronofork/lastWrite', { expression: 'shared.first', frameId: s.last!.stackFrame!.id }),
  ],
];

type Finish = (s: Journey, names: { requestId: number; progressId: string }) => Promise<unknown>;

const endings: [name: string, finish: Finish][] = [
  ['cancelled by the number of its progress', (s, { progressId }) => s.client.request('cancel', { progressId })],
  ['cancelled by the number of its request', (s, { requestId }) => s.client.request('cancel', { requestId })],
  ['paused', (s) => s.client.request('pause', { threadId: s.threadId })],
];

describe('a long way through time', () => {
  for (const [way, ask] of ways)
    for (const [ending, finish] of endings)
      debugTest(`${way}, ${ending}, leaves the session where it was`, 'longRun.c', options, async (s) => {
        await computed(s);
        const before = await seen(s);
        const { seq, answer } = ask(s);
        const progressId = await shownProgress(s, seq);
        await finish(s, { requestId: seq, progressId });
        await s.client.event<End>('progressEnd', (body) => body.progressId === progressId);
        const arrival = (await answer) as Arrival | undefined;
        if (arrival) assert.equal(arrival.outcome, 'cancelled');
        await isBackAndWorks(s, before);
      });

  debugTest('goes on when something else is cancelled, and refuses a second one', 'longRun.c', options, async (s) => {
    await computed(s);
    const { seq, answer } = s.client.begin('chronofork/lastWrite', { expression: 'shared.first' });
    await shownProgress(s, seq);
    await s.client.request('cancel', { requestId: seq + 1000 });
    await s.client.request('cancel', { progressId: 'another' });
    assert.equal((await s.client.refusal('chronofork/seek', { to: 'begin' })).id, 1402);
    assert.equal((await s.client.refusal('next', { threadId: s.threadId })).id, 1402);
    assert.equal(((await answer) as Arrival).outcome, 'found');
    assert.equal((await s.stopped()).text, 'first');
    await s.walk('next -> loop');
  });

  debugTest(
    'may be followed by a way to the end, from wherever it left the session',
    'longRun.c',
    options,
    async (s) => {
      await computed(s);
      await s.walk(`
      seek end          -> done
      stepBack          -> loop
    `);
      const before = await seen(s);
      const { seq } = s.client.begin('reverseContinue', { threadId: s.threadId });
      await s.client.request('cancel', { progressId: await shownProgress(s, seq) });
      assert.equal((await s.stopped()).text, 'loop');
      assert.deepEqual(await seen(s), before);
      await s.walk(`
      seek end          -> done
      seek end          -> done
      stepBack          -> loop
      seek end          -> done
      next              -> flush
    `);
    },
  );

  debugTest('lets breakpoints be changed meanwhile, and meets the new ones', 'longRun.c', options, async (s) => {
    await computed(s);
    const { seq } = s.client.begin('reverseContinue', { threadId: s.threadId });
    await shownProgress(s, seq);
    await s.breakAt('first');
    assert.equal((await s.stopped()).text, 'first');
    assert.equal(s.last?.body.reason, 'breakpoint');
  });
});
