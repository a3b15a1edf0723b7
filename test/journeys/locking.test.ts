/**
 * One thread alone: `singleThread`, which is gdb's scheduler locking. Live the
 * others are held; in the past what they did there is done, and is passed over.
 */
import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { debugTest, type Journey } from '../dsl/debugTest.js';

const alone = { singleThread: true };

async function threadsOf(s: Journey): Promise<{ main: number; other: number }> {
  const { threads } = await s.client.request<DebugProtocol.ThreadsResponse['body']>('threads');
  const [main, other] = threads.map(({ id }) => id);
  assert.ok(main && other, `there are ${threads.length} threads`);
  return { main, other };
}

async function topOf(s: Journey, threadId: number): Promise<DebugProtocol.StackFrame> {
  const { stackFrames } = await s.client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', {
    threadId,
    levels: 1,
  });
  return stackFrames[0]!;
}

async function pcOf(s: Journey, threadId: number): Promise<string> {
  return (await topOf(s, threadId)).instructionPointerReference!;
}

/** A step of one thread alone: where it ends, in the thread that was asked for. */
async function stepAlone(s: Journey, threadId: number, command: string, more: object = {}): Promise<string> {
  const place = await s.step(command, { threadId, ...alone, ...more });
  assert.equal(s.threadId, threadId, `${command} ended in another thread`);
  return place.text;
}

/** Resumes one thread alone, which does not come to a place, and pauses it after a while. */
async function pauseAlone(s: Journey, threadId: number, after_ms: number): Promise<void> {
  s.client.forget('stopped');
  const answer = await s.client.request<DebugProtocol.ContinueResponse['body']>('continue', { threadId, ...alone });
  assert.equal(answer.allThreadsContinued, false);
  await wait(after_ms);
  await s.client.request('pause', { threadId });
  const { body } = await s.stopped();
  assert.equal(body.reason, 'pause');
  assert.equal(s.threadId, threadId);
}

describe('one thread alone', () => {
  debugTest('a thread that waits for a held one’s flag spins until it is paused', 'locking.c', async (s) => {
    await s.walk(`
      break third
      run               -> third
    `);
    const { main, other } = await threadsOf(s);
    const [spins, place] = [await s.evaluate('there'), await pcOf(s, other)];
    assert.equal(await stepAlone(s, main, 'next'), 'allow');
    assert.equal(await stepAlone(s, main, 'next'), 'main-spin');
    await pauseAlone(s, main, 400);
    assert.equal(s.last?.text, 'main-spin');
    assert.equal(await s.evaluate('done'), '0');
    assert.equal(await s.evaluate('there'), spins);
    assert.equal(await pcOf(s, other), place, 'the other thread has moved');
    const spun = Number(await s.evaluate('here'));
    assert.ok(spun > 1000, `it has spun ${spun} times`);
    await s.walk(`
      break spun
      continue          -> spun
      value there       -> 1002
      value done        -> 1
    `);
    // What one thread did alone is history like any other.
    await s.walk(`
      clear spun
      reverseContinue   -> third
    `);
    assert.equal(await s.evaluate('there'), spins);
    await s.walk(`
      clear third
      continue          -> exit 0
    `);
    assert.equal(s.client.output.stdout, '-1 1002\n');
  });

  debugTest('another thread than the one that stopped goes on alone', 'locking.c', async (s) => {
    await s.walk(`
      break other-spin
      run               -> other-spin
      clear other-spin
    `);
    const { main, other } = await threadsOf(s);
    const before = { there: await s.evaluate('there'), place: await pcOf(s, other) };
    const places = [await pcOf(s, main)];
    for (let i = 0; i < 4; i++) {
      await stepAlone(s, main, 'next', { granularity: 'instruction' });
      places.push(await pcOf(s, main));
    }
    assert.equal(await s.evaluate('there'), before.there);
    assert.equal(await pcOf(s, other), before.place, 'the other thread has moved');
    // And back: main's instructions one by one, though another thread stood between them.
    for (let i = 3; i >= 0; i--) {
      assert.equal(await pcOf(s, main), places[i + 1]);
      await s.step('stepBack', { threadId: main, granularity: 'instruction' });
      assert.equal(await pcOf(s, main), places[i]);
      assert.equal(s.threadId, main);
    }
    await s.walk(`
      continue          -> exit 0
    `);
    assert.equal(s.client.output.stdout, '-1 1002\n');
  });

  debugTest('one that waits in a call for a held one can be paused, and the user is told', 'threads.c', async (s) => {
    await s.walk(`
      break own
      run               -> own
      clear own
    `);
    const { threads } = await s.client.request<DebugProtocol.ThreadsResponse['body']>('threads');
    const [main, one] = threads.map(({ id }) => id);
    assert.equal(s.threadId, one);
    await pauseAlone(s, main!, 3000);
    await s.client.event('chronofork/notice', (body: { message: string }) =>
      body.message.startsWith(`Thread ${main} waits in futex()`),
    );
    assert.equal(await s.evaluate('balance'), '10');
    await s.walk(`
      break print
      continue          -> print
      value balance     -> 300
    `);
  });

  debugTest('in the past a step of one thread passes over what the others did', 'locking.c', async (s) => {
    await s.walk(`
      break print
      run               -> print
      break other-step
      reverseContinue   -> other-step
      reverseContinue   -> other-step
      value there       -> 1000
    `);
    const { main, other } = await threadsOf(s);
    assert.equal(s.threadId, other);
    assert.equal(await stepAlone(s, main, 'stepBack'), 'main-spin');
    assert.equal(await stepAlone(s, main, 'stepBack'), 'allow');
    assert.equal(await s.evaluate('here'), '3');
    assert.equal(await stepAlone(s, main, 'stepBack'), 'third');
    assert.equal(await s.evaluate('here'), '2');
    assert.equal(await stepAlone(s, main, 'next'), 'allow');
    assert.equal(await stepAlone(s, main, 'next'), 'main-spin');
    // The other thread's breakpoint lies on the way, there and back.
    await s.walk(`
      break spun
    `);
    assert.equal(await stepAlone(s, main, 'continue'), 'spun');
    assert.equal(await s.evaluate('there'), '1002');
    await s.walk(`
      clear spun
      break second
    `);
    assert.equal(await stepAlone(s, main, 'reverseContinue'), 'second');
    assert.equal(await stepAlone(s, main, 'continue'), 'print');
    await s.walk(`
      reverseContinue   -> other-step
      value there       -> 1001
    `);
    assert.equal(s.threadId, other);
  });

  debugTest('instructions of one thread, back and forth, are the same ones', 'locking.c', async (s) => {
    await s.walk(`
      break print
      run               -> print
      break other-step
      reverseContinue   -> other-step
      clear other-step
    `);
    const { main, other } = await threadsOf(s);
    for (const threadId of [other, main]) {
      const places = [await pcOf(s, threadId)];
      for (let i = 0; i < 12; i++) {
        await s.step('stepBack', { threadId, granularity: 'instruction', ...alone });
        assert.equal(s.threadId, threadId);
        places.push(await pcOf(s, threadId));
      }
      for (let i = 11; i >= 0; i--) {
        await s.step('next', { threadId, granularity: 'instruction', ...alone });
        assert.equal(s.threadId, threadId);
        assert.equal(await pcOf(s, threadId), places[i], `${i} instructions before the first place`);
      }
    }
  });

  debugTest('each thread has its errno, now and in the past', 'locking.c', async (s) => {
    await s.walk(`
      break other-step
      run               -> other-step
    `);
    const errnoOf = async (threadId: number) =>
      s.evaluate('errno', { frameId: (await topOf(s, threadId)).id }).catch((error: Error) => error.message);
    const { main, other } = await threadsOf(s);
    assert.deepEqual([await errnoOf(main), await errnoOf(other)], ['34', '33']);
    await s.walk(`
      break second
      reverseContinue   -> second
    `);
    assert.equal(await errnoOf(main), '34');
  });

  debugTest('gdb’s own scheduler-locking is obeyed', 'locking.c', async (s) => {
    await s.walk(`
      break third
      run               -> third
    `);
    const { main } = await threadsOf(s);
    const there = await s.evaluate('there');
    await s.evaluate('-exec set scheduler-locking on', { context: 'repl' });
    s.client.forget('stopped');
    await s.client.request('continue', { threadId: main });
    await wait(300);
    await s.client.request('pause', { threadId: main });
    await s.stopped();
    assert.equal(s.last?.text, 'main-spin');
    assert.equal(await s.evaluate('there'), there);
  });

  debugTest('gdb’s scheduler-locking step: steps are of one thread, the rest of all', 'locking.c', async (s) => {
    await s.walk(`
      break third
      run               -> third
    `);
    await s.evaluate('-exec set scheduler-locking step', { context: 'repl' });
    const { main, other } = await threadsOf(s);
    const [spins, place] = [await s.evaluate('there'), await pcOf(s, other)];
    await s.walk(`
      next              -> allow
      next              -> main-spin
    `);
    assert.deepEqual([await s.evaluate('there'), await pcOf(s, other)], [spins, place]);
    await s.walk(`
      break spun
      continue          -> spun
      value there       -> 1002
      clear spun
    `);
    // Back, and forwards by the same lines; then by steps of the other thread.
    await s.walk(`
      stepBack          -> main-spin
      stepBack          -> allow
      stepBack          -> third
      next              -> allow
      next              -> main-spin
    `);
    assert.equal(s.threadId, main);
    assert.deepEqual([await s.evaluate('there'), await pcOf(s, other)], [spins, place]);
    await s.walk(`
      next              -> spun
      value there       -> 1002
      break other-step
      reverseContinue   -> other-step
      value there       -> 1001
      next              -> other-loop
      value there       -> 1002
      stepBack          -> other-step
      value there       -> 1001
      next              -> other-loop
      next              -> other-done
    `);
    assert.equal(s.threadId, other);
    await s.walk(`
      clear other-step
      clear third
      continue          -> exit 0
    `);
    assert.equal(s.client.output.stdout, '-1 1002\n');
  });

  debugTest(
    'gdb’s scheduler-locking replay holds nobody: in the past the order is what it was',
    'locking.c',
    async (s) => {
      await s.walk(`
      break third
      run               -> third
    `);
      await s.evaluate('-exec set scheduler-locking replay', { context: 'repl' });
      await s.walk(`
      break spun
      continue          -> spun
      value there       -> 1002
      reverseContinue   -> third
      continue          -> spun
      value there       -> 1002
      stepBack          -> main-spin
      next              -> spun
      clear spun
      clear third
      continue          -> exit 0
    `);
    },
  );
});
