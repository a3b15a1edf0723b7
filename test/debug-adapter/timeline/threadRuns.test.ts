/** Which thread ran when, and how much of each stretch. */
import assert from 'node:assert/strict';
import { ThreadRuns } from '../../../debug-adapter/timeline/threadRuns.js';

describe('the runs of threads', () => {
  it('fill each stretch of time exactly once', () => {
    const runs = new ThreadRuns();
    runs.goesOn(1, -Infinity);
    runs.goesOn(2, 25);
    runs.goesOn(1, 60);
    runs.goesOn(1, 70);
    assert.deepEqual(runs.busy(0, 100, 4), [
      { threadId: 1, busyMs: [25, 0, 15, 25] },
      { threadId: 2, busyMs: [0, 25, 10, 0] },
    ]);
    assert.deepEqual(runs.busy(30, 50, 1), [{ threadId: 2, busyMs: [20] }]);
    assert.deepEqual(runs.busy(5, 5, 3), []);
    assert.equal(runs.last, 1);
  });
});
