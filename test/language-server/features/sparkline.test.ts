/** Numbers as a row of bars, as hovers show them. */
import assert from 'node:assert/strict';
import { numberOf, sparkline } from '../../../language-server/features/sparkline.js';

describe('a sparkline', () => {
  it('goes from the lowest to the highest value', () => {
    assert.equal(sparkline(['0', '7', '14']), '▁▅█');
    assert.equal(sparkline(['3', '3', '3']), '▁▁▁');
    assert.equal(sparkline(['-1', '0', '1'])?.length, 3);
  });

  it('is there for numbers alone, and for enough of them', () => {
    assert.equal(sparkline(['1', '2']), undefined);
    assert.equal(sparkline(['1', 'two', '3']), undefined);
    assert.equal(sparkline(Array.from({ length: 100 }, (_, index) => String(index)))?.length, 40);
  });

  it('knows how gdb writes numbers', () => {
    assert.equal(numberOf("97 'a'"), 97);
    assert.equal(numberOf('-1.5e+3'), -1500);
    assert.equal(numberOf('0x10 <main+4>'), 16);
    assert.equal(numberOf('{x = 1}'), undefined);
    assert.equal(numberOf('<optimized out>'), undefined);
  });
});
