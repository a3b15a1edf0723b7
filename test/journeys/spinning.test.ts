/**
 * A step over a line that executes millions of instructions: a loop on one line
 * that waits for another thread, or counts. It ends where the line does, and
 * takes about as long as the line itself.
 */
import assert from 'node:assert/strict';
import { debugTest, type Journey } from '../dsl/debugTest.js';

/** A step; CHRONOFORK_TIMES=1 prints how long it took. */
async function timed(s: Journey, command: string): Promise<string> {
  const begun = performance.now();
  const { text } = await s.step(command);
  if (process.env['CHRONOFORK_TIMES'])
    console.log(`      ${command} -> ${text}: ${Math.round(performance.now() - begun)} ms`);
  return text;
}

describe('a line that takes long', () => {
  debugTest('next over a line that waits for another thread, live and in the past', 'spinning.c', async (s) => {
    await s.walk(`
      break waits
      run               -> waits
      next              -> let-begin
      next              -> spin
    `);
    const { threadId } = s;
    assert.equal(await timed(s, 'next'), 'spun');
    assert.equal(s.threadId, threadId);
    assert.equal(await s.evaluate('ready'), '1');
    const looked = await s.evaluate('looked');
    assert.ok(Number(looked) > 100_000, `it has looked ${looked} times`);
    assert.equal(await timed(s, 'stepBack'), 'spin');
    assert.equal(await timed(s, 'next'), 'spun');
    assert.equal(await s.evaluate('looked'), looked);
    assert.equal(s.threadId, threadId);
    // On, and from further back, so that the live process is not the end of the way.
    await s.walk(`
      break print
      continue          -> print
      reverseContinue   -> waits
      next              -> let-begin
      next              -> spin
      next              -> spun
    `);
    assert.equal(await s.evaluate('looked'), looked);
  });

  debugTest('a breakpoint in another thread stops a step that waits', 'spinning.c', async (s) => {
    await s.walk(`
      break waits
      run               -> waits
      break works-ready
      next              -> let-begin
      next              -> spin
      next              -> works-ready
      value ready       -> 0
      clear works-ready
    `);
  });

  debugTest('a long loop on one line of one thread', 'spinning.c', async (s) => {
    await s.walk(`
      break counts
      run               -> counts
      next              -> count
    `);
    assert.equal(await timed(s, 'next'), 'counted');
    assert.equal(await s.evaluate('sum'), '4500001500000');
    assert.equal(await timed(s, 'stepBack'), 'count');
    assert.equal(await s.evaluate('sum'), '0');
    assert.equal(await timed(s, 'next'), 'counted');
    assert.equal(await s.evaluate('sum'), '4500001500000');
    await s.walk(`
      clear counts
      continue          -> exit 0
    `);
    assert.equal(s.client.output.stdout, '1 40000000 4500001500000\n');
  });
});
