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
});
