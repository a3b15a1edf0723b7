/** How often a line was reached, as it is drawn. */
import assert from 'node:assert/strict';
import { heatOf, shortCount } from '../../../extension/history/heat.js';

describe('how often a line was reached', () => {
  it('is short: four characters and a sign at most', () => {
    assert.deepEqual([0, 1, 999, 1000, 1049, 12_345, 999_499, 999_500, 504_000_000, 1e12].map(shortCount), [
      '0×',
      '1×',
      '999×',
      '1k×',
      '1k×',
      '12.3k×',
      '999k×',
      '1M×',
      '504M×',
      '1T×',
    ]);
  });

  it('is hot when it is much, and much of the file', () => {
    assert.equal(heatOf(0, 1000), 'never');
    assert.equal(heatOf(99, 99), 'usual');
    assert.equal(heatOf(100, 1000), 'hot');
    assert.equal(heatOf(100, 1001), 'usual');
  });
});
