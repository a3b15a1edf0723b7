/** Quantities are said as people would say them, and never as "0" when they are not. */
import assert from 'node:assert/strict';
import {
  ageText,
  behindText,
  durationText,
  locationText,
  megabytesText,
  runTimeText,
  shortLocationText,
} from '../../../extension/timeline/words.js';

function table<T>(say: (value: T) => string | undefined, rows: [T, string | undefined][]): void {
  assert.deepEqual(
    rows.map(([value]) => [value, say(value)]),
    rows,
  );
}

describe('words', () => {
  it('says a duration with about three digits', () => {
    table(durationText, [
      [0, '0 ms'],
      [0.25, '0.25 ms'],
      [9.96, '10 ms'],
      [9.5, '9.5 ms'],
      [250, '250 ms'],
      [999.4, '999 ms'],
      [999.6, '1.00 s'],
      [1250, '1.25 s'],
      [59_990, '59.99 s'],
      [59_999, '1 min 0 s'],
      [125_000, '2 min 5 s'],
      [-3, '0 ms'],
    ]);
  });

  it('says how far back one is, also when the clock cannot tell', () => {
    table(behindText, [
      [0, 'a moment back'],
      [0.001, 'a moment back'],
      [0.4, '0.4 ms back'],
      [1250, '1.25 s back'],
    ]);
  });

  it('says run times so that neighbours differ', () => {
    table(runTimeText, [
      [0, '0.00 ms'],
      [3.416, '3.42 ms'],
      [12.44, '12.4 ms'],
      [342.2, '342 ms'],
      [999.7, '1.000 s'],
      [61_500, '61.500 s'],
    ]);
  });

  it('says ages coarsely', () => {
    table(ageText, [
      [0, 'just now'],
      [4_400, 'just now'],
      [13_000, '10 s ago'],
      [61_000, '1 min ago'],
      [3_700_000, '1 h ago'],
    ]);
  });

  it('never calls a price zero that is not', () => {
    table(megabytesText, [
      [0, '0 MB'],
      [4096, '<0.01 MB'],
      [1 << 19, '0.50 MB'],
      [5.25 * 2 ** 20, '5.3 MB'],
      [99.96 * 2 ** 20, '100 MB'],
      [250 * 2 ** 20, '250 MB'],
      [1023.7 * 2 ** 20, '1.0 GB'],
      [5.3 * 2 ** 30, '5.3 GB'],
    ]);
  });

  it('says as much of a place as is known', () => {
    table(locationText, [
      [undefined, undefined],
      [{}, undefined],
      [{ function: 'main' }, 'main'],
      [{ function: 'main', path: '/src/bank.c', line: 12 }, 'main, bank.c:12'],
      [{ path: '/src/bank.c' }, 'bank.c'],
      [{ function: 'write', module: '/lib/x86_64-linux-gnu/libc.so.6' }, 'write, libc.so.6'],
    ]);
  });

  it('leaves the function out where the line says enough', () => {
    table(shortLocationText, [
      [undefined, undefined],
      [{ function: 'main', path: '/src/bank.c', line: 12 }, 'bank.c:12'],
      [{ function: 'write', module: '/lib/x86_64-linux-gnu/libc.so.6' }, 'write, libc.so.6'],
      [{ function: '_start' }, '_start'],
      [{ function: '_dl_debug_state', module: '/lib64/ld-linux-x86-64.so.2' }, 'loading libraries'],
    ]);
  });
});
