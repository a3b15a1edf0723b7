/** What is counted later is added to what was counted before. */
import assert from 'node:assert/strict';
import type { Moment } from '../../../debug-adapter/protocol/timeTravel.js';
import { added } from '../../../language-server/features/lineCounts.js';

const moment = (id: number): Moment => ({ id, order: id, event: id, timeMs: id, branch: 0, pc: '0x0' });
const answer = { query: 1, total: 2, more: false, complete: true };

describe('line counts', () => {
  it('of two parts of the past are their sums', () => {
    const first = added(
      { lines: new Map(), functions: [], upTo: moment(1) },
      {
        ...answer,
        lines: [
          { line: 3, count: 2 },
          { line: 4, count: 0 },
        ],
        functions: [{ name: 'f', line: 2, endLine: 5, count: 2 }],
      },
      moment(5),
    );
    const both = added(
      first,
      {
        ...answer,
        lines: [
          { line: 3, count: 1 },
          { line: 4, count: 7 },
        ],
        functions: [{ name: 'f', line: 2, endLine: 5, count: 1 }],
      },
      moment(9),
    );
    assert.deepEqual(
      [...both.lines],
      [
        [3, 3],
        [4, 7],
      ],
    );
    assert.deepEqual(both.functions, [{ name: 'f', line: 2, endLine: 5, count: 3 }]);
    assert.equal(both.upTo.id, 9);
  });
});
