/** A moment as text for the diff editor. */
import assert from 'node:assert/strict';
import { momentText, type MomentText } from '../../../extension/moments/momentText.js';

const moment: MomentText = {
  name: 'half way',
  branch: 'First run',
  timeMs: 12.34,
  side: 'new',
  output: 'one\ntwo\n',
  memoryNote: undefined,
  memory: [
    { address: '0x7ffc0', size: 4, place: 'stack', kind: 'stack', oldValue: '00', newValue: '01' },
    { address: '0x4040', size: 4, place: 'total', kind: 'global', oldValue: '1', newValue: '2\n3' },
  ],
  state: {
    moment: { id: 1, order: 1, event: 1, timeMs: 99, branch: 0, pc: '0x401000' },
    threadId: 1,
    frames: [
      { function: 'add', path: '/src/a.c', line: 3, locals: [{ name: 'n', type: 'int', value: '7' }] },
      { function: 'main', path: '/src/a.c', line: 9, locals: [] },
    ],
  },
};

describe('a moment as text', () => {
  it('has one fact a line, in sections', () => {
    assert.equal(
      momentText(moment),
      `Moment
    half way
    12.3 ms into the run, First run
    add, a.c:3

Stack
    add, a.c:3
    main, a.c:9

Variables of add
    n = 7

Output so far
    one
    two

Memory that differs
    total = 2 3
    stack 0x7ffc0 = 01
`,
    );
  });

  it('says what is not known, and shows its own side', () => {
    const text = momentText({ ...moment, side: 'old', output: undefined, memoryNote: '(not compared)' });
    assert.match(text, /\(not compared\)\n {4}total = 1\n {4}stack 0x7ffc0 = 00\n$/);
    assert.doesNotMatch(text, /Output/);
    assert.match(momentText({ ...moment, memory: [] }), /Memory that differs\n {4}\(nothing\)/);
  });
});
