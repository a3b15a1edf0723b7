/** Several threads: each has a stack and variables of its own, now and in the past. */
import assert from 'node:assert/strict';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { debugTest, type Journey } from '../dsl/debugTest.js';

async function threadsOf(s: Journey): Promise<number[]> {
  const { threads } = await s.client.request<DebugProtocol.ThreadsResponse['body']>('threads');
  return threads.map(({ id }) => id);
}

/** From within the wait for another thread (in libc, with lines or without) to the line after it. */
async function stepInMain(s: Journey, main: number): Promise<void> {
  await s.step('next', { threadId: main });
  for (let i = 0; i < 8 && s.last?.text !== 'create-other'; i++) {
    assert.equal(s.threadId, main);
    await s.step(s.last?.stackFrame?.source?.path === s.program.source ? 'next' : 'stepOut', { threadId: main });
  }
  assert.equal(s.last?.text, 'create-other');
  assert.equal(s.threadId, main);
}

/** What each thread has of its own, in the order of their numbers. */
async function eachThread(s: Journey): Promise<{ errno: string; own: string; deeper: number; outermost: string }[]> {
  const found = [];
  for (const threadId of await threadsOf(s)) {
    const { stackFrames } = await s.client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', {
      threadId,
    });
    const top = { frameId: stackFrames[0]!.id };
    found.push({
      errno: await s.evaluate('errno', top),
      own: await s.evaluate('own', top),
      deeper: stackFrames.filter(({ name }) => name.startsWith('deeper')).length,
      outermost: stackFrames.some(({ name }) => name.startsWith('main')) ? 'main' : 'thread',
    });
  }
  return found;
}

describe('threads', () => {
  debugTest('a breakpoint in a thread stops there, and its variables are its own', 'threads.c', async (s) => {
    await s.walk(`
      break own
      run               -> own
      value balance     -> 10
      value added       -> 0
    `);
    const [main, ...others] = await threadsOf(s);
    assert.equal(others.length, 1);
    assert.equal(s.threadId, others[0]);
    const stackOfMain = await s.client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', {
      threadId: main,
    });
    const caller = stackOfMain.stackFrames.find(({ name }) => name.startsWith('main'));
    // Whose turn came first after the thread was made is not ours to say.
    assert.ok([s.line('create'), s.line('join-one')].includes(caller?.line ?? 0), `main is in line ${caller?.line}`);
  });

  debugTest('the write that lost an update is found, in the thread that made it', 'threads.c', async (s) => {
    await s.walk(`
      break print
      run               -> print
      value balance     -> 300
      lastWrite balance -> lost
      value balance     -> 330
      value added       -> 300
    `);
    assert.equal((await threadsOf(s)).length, 2);
    await s.walk(`
      lastWrite balance -> add
      value amount      -> 100
    `);
  });

  debugTest('stepping back and forth in a thread meets the same lines', 'threads.c', async (s) => {
    await s.walk(`
      break careless-careful
      run               -> careless-careful
      next              -> lost
      next              -> careless-end
      stepBack          -> lost
      value balance     -> 330
      stepBack          -> careless-careful
      value balance     -> 30
      next              -> lost
      next              -> careless-end
    `);
  });

  debugTest('before the threads were made there is one, and at the end again', 'threads.c', async (s) => {
    await s.walk(`
      break create
      break print
      run               -> create
      continue          -> print
    `);
    assert.equal((await threadsOf(s)).length, 1);
    await s.walk(`
      reverseContinue   -> create
    `);
    assert.equal((await threadsOf(s)).length, 1);
    await s.walk(`
      continue          -> print
      value balance     -> 300
    `);
  });

  debugTest('reverse continue stops at each hit, whichever thread made it', 'threads.c', async (s) => {
    await s.walk(`
      break print
      run               -> print
      break add
      reverseContinue   -> add
      value balance     -> 230
      reverseContinue   -> add
      reverseContinue   -> add
      value balance     -> 30
      reverseContinue   -> add
      value balance     -> 20
      reverseContinue   -> add
      reverseContinue   -> add
      value balance     -> 0
      continue          -> add
      value balance     -> 10
    `);
  });

  debugTest('a thread that waits is stepped while the others go on, live and in the past', 'threads.c', async (s) => {
    await s.walk(`
      break own
      run               -> own
      clear own
    `);
    const [main] = await threadsOf(s);
    await stepInMain(s, main!);
    assert.equal(await s.evaluate('added'), '0');
    await s.walk(`
      break own
      reverseContinue   -> own
      value added       -> 20
      clear own
    `);
    await stepInMain(s, main!);
    assert.equal(await s.evaluate('balance'), '30');
  });

  debugTest('runs on from where several threads were, after a change there', 'threads.c', async (s) => {
    await s.walk(`
      break careless-careful
      break print
      run               -> careless-careful
      continue          -> print
      value balance     -> 300
      reverseContinue   -> careless-careful
      value balance     -> 30
      set balance = 1000
    `);
    assert.equal((await threadsOf(s)).length, 2);
    await s.walk(`
      continue          -> print
      value balance     -> 300
      value (long)first -> 30
      lastWrite balance -> lost
      value balance     -> 1300
      value added       -> 300
    `);
    const { branches } = await s.client.timeTravel('chronofork/timeline', {});
    assert.equal(branches.length, 2);
    await s.walk(`
      clear careless-careful
    `);
    assert.match((await s.step('reverseContinue')).text, /^beginning at/);
    await s.walk(`
      clear print
      continue          -> exit 0
    `);
    assert.equal(s.client.output.stdout, '300 30 300\n');
  });

  debugTest(
    'each thread has its errno, its variables and its stack, at each moment of the past',
    'perThread.c',
    async (s) => {
      const main = (errno: string) => ({ errno, own: '0', deeper: 0, outermost: 'main' });
      const other = (errno: string, own: string, deeper: number) => ({ errno, own, deeper, outermost: 'thread' });
      const moments: [string, object[]][] = [
        ['begin', [main('0')]],
        ['set', [main('1'), other('11', '1', 0), other('12', '2', 0)]],
        ['deep', [main('2'), other('21', '100', 2), other('22', '200', 3)]],
        ['joined', [main('3')]],
      ];
      for (const [mark] of moments) await s.breakAt(mark);
      for (const [mark, expected] of moments) {
        await s.walk(mark === 'begin' ? `run -> begin` : `continue -> ${mark}`);
        assert.deepEqual(await eachThread(s), expected, `live, at ${mark}`);
      }
      for (const [mark, expected] of moments.slice(0, -1).reverse()) {
        await s.walk(`reverseContinue -> ${mark}`);
        assert.deepEqual(await eachThread(s), expected, `in the past, at ${mark}`);
      }
      for (const [mark, expected] of moments.slice(1)) {
        await s.walk(`continue -> ${mark}`);
        assert.deepEqual(await eachThread(s), expected, `forwards in the past, at ${mark}`);
      }
      // By steps, too: between the two lines only errno has changed.
      await s.walk(`
      break change-own
      reverseContinue   -> deep
      reverseContinue   -> change-own
    `);
      const second = s.threadId;
      const index = (await threadsOf(s)).indexOf(second);
      assert.equal((await eachThread(s))[index]?.errno, `2${index}`);
      await s.walk(`stepBack -> change`);
      assert.equal(s.threadId, second);
      assert.deepEqual((await eachThread(s))[index], other(`1${index}`, `${index}`, 0));
      assert.equal((await eachThread(s))[0]?.errno, '2');
    },
  );

  debugTest('a lost update is found from the write that lost it to the write that was lost', 'race.c', async (s) => {
    await s.walk(`
      break loses-end
      run               -> loses-end
      value counter     -> 1
    `);
    const loser = s.threadId;
    await s.walk(`
      lastWrite counter -> overwrite
      value counter     -> 10
      value seen        -> 0
    `);
    assert.equal(s.threadId, loser);
    await s.walk(`
      lastWrite counter -> add
      value counter     -> 0
    `);
    const adder = s.threadId;
    assert.notEqual(adder, loser);
    // The loser had read by then, and stands in its wait.
    const { stackFrames } = await s.client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', {
      threadId: loser,
    });
    const waits = stackFrames.find(({ name }) => name.startsWith('loses'));
    assert.ok(waits, 'the thread that loses the update is there');
    assert.equal(await s.evaluate('seen', { frameId: waits.id }), '0');
    await s.walk(`
      next              -> adds-post
      value counter     -> 10
    `);
    assert.equal(s.threadId, adder);
  });

  debugTest('a data breakpoint stops at a write by whichever thread', 'race.c', async (s) => {
    await s.launch();
    const { dataId } = await s.client.request<DebugProtocol.DataBreakpointInfoResponse['body']>('dataBreakpointInfo', {
      name: 'counter',
    });
    await s.client.request('setDataBreakpoints', { breakpoints: [{ dataId, accessType: 'write' }] });
    const values = [];
    const threads = new Set<number>();
    await s.run();
    for (; s.last?.body.reason === 'data breakpoint'; await s.step('continue')) {
      values.push(await s.evaluate('counter'));
      threads.add(s.threadId);
    }
    assert.deepEqual(values, ['10', '1']);
    assert.equal(threads.size, 2);
    assert.equal(s.last?.text, 'exit 0');
    const back = [];
    for (await s.step('reverseContinue'); s.last?.body.reason === 'data breakpoint'; await s.step('reverseContinue'))
      back.push(await s.evaluate('counter'));
    assert.deepEqual(back, ['10', '0']);
    const again = [];
    for (await s.step('continue'); s.last?.body.reason === 'data breakpoint'; await s.step('continue'))
      again.push(await s.evaluate('counter'));
    assert.deepEqual(again, ['10', '1']);
    assert.equal(s.last?.text, 'exit 0');
  });
});
