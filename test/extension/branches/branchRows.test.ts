/** What the Branches view says. */
import assert from 'node:assert/strict';
import type { Branch, Moment, Timeline } from '../../../debug-adapter/protocol/timeTravel.js';
import { branchRows } from '../../../extension/branches/branchRows.js';
import { TimelineModel } from '../../../extension/timeline/timelineModel.js';

const moment = (timeMs: number, branch = 0): Moment => ({
  id: timeMs,
  order: timeMs,
  event: 0,
  timeMs,
  branch,
  pc: '0x1',
});

function rowsOf(branches: Branch[], present: Moment) {
  const model = new TimelineModel();
  const timeline: Timeline = {
    branches,
    checkpoints: [],
    begin: moment(0),
    end: present,
    present,
    live: true,
    memory: { budgetBytes: 1, usedBytes: 0 },
  };
  model.timelineLoaded(timeline);
  return branchRows(model);
}

describe('the rows of the Branches view', () => {
  it('are none while there is one line of time', () => {
    assert.deepEqual(rowsOf([{ id: 0, end: moment(5) }], moment(5)), []);
  });

  it('say where each left, where it stands, and which is the present', () => {
    const rows = rowsOf(
      [
        { id: 0, end: moment(40) },
        { id: 1, parent: 0, from: moment(12), end: moment(30, 1), name: 'what if' },
      ],
      moment(30, 1),
    );
    assert.deepEqual(
      rows.map(({ label, description, present }) => [label, description, present]),
      [
        ['First run', 'stands at 40.0 ms', false],
        ['what if', 'you are on it · left “First run” at 12.0 ms · stands at 30.0 ms', true],
      ],
    );
  });
});
