/** Going forwards: what every debugger's user expects. */
import assert from 'node:assert/strict';
import { debugTest } from '../dsl/debugTest.js';

describe('forwards', () => {
  debugTest('steps over, into and out', 'bank.c', async (s) => {
    await s.walk(`
      break start
      run              -> start
      next             -> total
      next             -> loop
      next             -> call
      stepIn           -> deposit-first
      next             -> deposit
      value amount     -> 10
      stepOut          -> call
      next             -> loop
      next             -> call
      next             -> loop
    `);
    assert.equal(await s.evaluate('total'), '30');
  });
});
