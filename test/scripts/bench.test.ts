/** The bench's own arithmetic: quantiles, scales and ticks, and what is shown of a figure. */
import assert from 'node:assert/strict';
import { quantile, spread } from '../../bench/measure.js';
import { shown, verdict } from '../../bench/report.js';
import { barPlot, linePlot, scaleOf } from '../../bench/svg.js';

describe('bench', () => {
  it('the median and the 95th percentile are samples, not means', () => {
    const samples = [5, 1, 4, 2, 3];
    assert.equal(quantile(samples, 0.5), 3);
    assert.equal(quantile([1, 2, 3, 4], 0.5), 2);
    assert.equal(quantile(samples, 0.95), 5);
    assert.equal(quantile([7], 0.01), 7);
    assert.deepEqual(spread(samples), { value: 3, min: 1, max: 5 });
    assert.throws(() => quantile([], 0.5), /Nothing was measured/);
  });

  it('an aim is met at its own value, and missed just above it', () => {
    const figure = { section: 'replay', name: 'x', unit: '×', how: '', aim: 1.2 } as const;
    assert.equal(verdict({ ...figure, value: 1.2 }), 'aim ≤ 1.2 ×, met');
    assert.equal(verdict({ ...figure, value: 1.2001 }), 'aim ≤ 1.2 ×, MISSED');
    assert.equal(verdict({ ...figure, aim: undefined, value: 9 }), '');
    assert.equal(shown(1.23456), '1.23');
    assert.equal(shown(123.456), '123');
    assert.equal(shown(912_345.6), '912,346');
  });

  it('scales keep order and hold all values, and ticks are round', () => {
    for (const logarithmic of [false, true]) {
      const values = [3, 17, 480];
      const { place, ticks } = scaleOf(values, { label: '', logarithmic }, 100, 500);
      const places = values.map(place);
      assert.ok(
        places.every((x) => x >= 100 - 1e-9 && x <= 500 + 1e-9),
        `${places}`,
      );
      assert.ok(places[0]! < places[1]! && places[1]! < places[2]!);
      assert.ok(ticks.length >= 2 && ticks.length <= 10, `${ticks}`);
      for (const tick of ticks) assert.match(String(Number(tick.toPrecision(6))), /^[125]?0*(\.\d)?$|^\d+00$/);
    }
  });

  it('plots are whole documents without holes, whatever a label says', () => {
    const axis = { label: 'a < b & c' };
    const lines = linePlot({ title: 'T', x: axis, y: axis, series: { one: [{ x: 1, y: 1 }], none: [] } });
    const bars = barPlot({ title: 'T', axis, bars: [{ label: 'x', value: 2, min: 1, max: 3, aim: 1.5 }] });
    for (const svg of [lines, bars]) {
      assert.match(svg, /^<svg [\s\S]*<\/svg>\n$/);
      assert.ok(svg.includes('a &lt; b &amp; c'));
      assert.ok(!/NaN|undefined|Infinity/.test(svg), svg);
    }
  });
});
