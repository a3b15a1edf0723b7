/** How a time and an event are written. */
import assert from 'node:assert/strict';
import { parseEvent, parseTime } from '../../../extension/moments/goToTime.js';

describe('a moment as a person writes it', () => {
  it('is a time, a share of the recording, or a distance from here', () => {
    const cases: [string, number | undefined][] = [
      ['250', 250],
      ['250 ms', 250],
      ['1.5s', 1500],
      ['2 min 5 s', 125_000],
      ['40us', 0.04],
      ['50 %', 1000],
      ['-10 ms', 90],
      ['+1 s', 1100],
      ['-1 min', 0],
      ['soon', undefined],
      ['10 parsecs', undefined],
      ['', undefined],
    ];
    for (const [text, expected] of cases) assert.equal(parseTime(text, 100, 2000), expected, text);
  });

  it('is an event, or a distance from here', () => {
    const cases: [string, number | undefined][] = [
      ['4711', 4711],
      ['+3', 103],
      ['- 10', 90],
      ['-1000', 0],
      ['1.5', undefined],
      ['', undefined],
    ];
    for (const [text, expected] of cases) assert.equal(parseEvent(text, 100), expected, text);
  });
});
