/** Where a search backwards may end, computed from line tables written by hand. */
import assert from 'node:assert/strict';
import {
  entryGroup,
  frameLimits,
  isInlineCall,
  isPassing,
  lineAt,
  placesOf,
  placesWithReturnSites,
  type CodeRow,
  type FunctionCode,
  type StepFrame,
} from '../../../debug-adapter/timeline/stepFrames.js';

function row(address: number, line: number, more: Partial<CodeRow> = {}): CodeRow {
  return { address: `0x${address.toString(16)}`, file: 'a.c', line, statement: true, ...more };
}

function code(rows: CodeRow[], more: Partial<FunctionCode> = {}): FunctionCode {
  return {
    entry: '0x100',
    second: '0x101',
    depth: 0x30,
    returnSites: [],
    setsUpFrame: true,
    passing: [],
    ranges: [['0x100', '0x200']],
    rows,
    ...more,
  };
}

const frame: StepFrame = { pc: '0x150', rsp: '0x7fd0', cfa: '0x8000' };

describe('stepFrames', () => {
  it('gives each line a group, and the entry one of its own', () => {
    const places = placesOf(frame, code([row(0x100, 3), row(0x110, 4), row(0x120, 5), row(0x130, 4)]));
    assert.deepEqual(
      places.map(({ address, group }) => [address, group]),
      [
        ['0x100', entryGroup],
        ['0x110', 1],
        ['0x120', 2],
        ['0x130', 1],
      ],
    );
  });

  it('leaves out rows that begin no statement', () => {
    const places = placesOf(frame, code([row(0x110, 4), row(0x118, 9, { statement: false })]));
    assert.deepEqual(
      places.map(({ address }) => address),
      ['0x100', '0x110'],
    );
  });

  it('keeps equal line numbers of different files apart', () => {
    const places = placesOf(frame, code([row(0x110, 4), row(0x120, 4, { file: 'b.h' })]));
    assert.notEqual(places[1]?.group, places[2]?.group);
  });

  it('knows a stack frame by its deepest stack pointer and its CFA', () => {
    assert.deepEqual(frameLimits(frame, code([])), { rspMin: '0x7fd0', rspMax: '0x8000' });
    assert.deepEqual(frameLimits(frame, code([], { depth: null })), { rspMax: '0x8000' });
    assert.deepEqual(frameLimits({ ...frame, cfa: null }, code([])), {});
  });

  describe('code inlined into the function', () => {
    const begin = row(0x120, 40, { chain: ['f'], calls: [{ file: 'a.c', line: 7 }] });
    const inside = row(0x128, 41, { chain: ['f'] });
    const deeper = row(0x12c, 50, { chain: ['f', 'g'] });

    it('is stepped over, but for the line that calls it', () => {
      assert.deepEqual(lineAt(begin, []), { file: 'a.c', line: 7 });
      assert.equal(lineAt(inside, []), undefined);
    });

    it('counts when the stack frame is in it, as does the code around it', () => {
      assert.deepEqual(lineAt(inside, ['f']), { file: 'a.c', line: 41 });
      assert.deepEqual(lineAt(row(0x110, 6), ['f']), { file: 'a.c', line: 6 });
      assert.equal(lineAt(deeper, ['f']), undefined);
    });

    it('of another place does not count', () => {
      assert.equal(lineAt(inside, ['h']), undefined);
      const other = row(0x140, 60, { chain: ['x', 'y'], calls: [{ file: 'a.c', line: 61 }] });
      assert.equal(lineAt(other, ['f']), undefined);
    });
  });

  it('searches for jumps into a line too, in the group of that line, but never ends there', () => {
    const passing = [
      { address: '0x118', file: 'a.c', line: 5 },
      { address: '0x124', file: 'a.c', line: 9, chain: ['f'] },
    ];
    const jumped = code([row(0x110, 4), row(0x120, 5)], { passing });
    assert.deepEqual(
      placesOf(frame, jumped).map(({ address, group }) => [address, group]),
      [
        ['0x100', 0],
        ['0x110', 1],
        ['0x120', 2],
        ['0x118', 2],
      ],
    );
    assert.equal(isPassing(jumped, '0x0118'), true);
    assert.equal(isPassing(jumped, '0x120'), false);
  });

  it('knows the calls of inlined functions, and shows the innermost of several', () => {
    const calls = [
      { file: 'a.c', line: 7 },
      { file: 'a.c', line: 70 },
    ];
    const both = row(0x120, 80, { chain: ['f', 'g'], calls });
    assert.deepEqual(lineAt(both, []), { file: 'a.c', line: 70 });
    assert.equal(isInlineCall(code([row(0x110, 4), both]), '0x120'), true);
    assert.equal(isInlineCall(code([row(0x110, 4), both]), '0x110'), false);
  });

  it('gives each return of a call a group above all lines', () => {
    const { places, firstSite } = placesWithReturnSites(
      frame,
      code([row(0x110, 4), row(0x120, 5)], { returnSites: ['0x118', '0x120'] }),
    );
    assert.equal(firstSite, 3);
    assert.deepEqual(
      places.map(({ address, group }) => [address, group]),
      [
        ['0x100', 0],
        ['0x110', 1],
        ['0x118', 3],
        ['0x120', 4],
      ],
    );
  });
});
