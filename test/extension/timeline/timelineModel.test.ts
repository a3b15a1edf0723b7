/** What the views and the status bar say of a timeline. */
import assert from 'node:assert/strict';
import type { Checkpoint, Moment, Timeline } from '../../../debug-adapter/protocol/timeTravel.js';
import { TimelineModel } from '../../../extension/timeline/timelineModel.js';

function moment(order: number, branch = 0): Moment {
  return { id: order, order, event: order, timeMs: order * 100, branch, pc: '0x401000' };
}

function checkpoint(id: number, order: number, more: Partial<Checkpoint> = {}): Checkpoint {
  const { branch = 0 } = more.moment ?? {};
  return {
    id,
    moment: moment(order, branch),
    reason: 'interval',
    privateBytes: 1 << 20,
    ageMs: 0,
    pinned: false,
    ...more,
  };
}

function timeline(more: Partial<Timeline> = {}): Timeline {
  return {
    branches: [{ id: 0 }],
    checkpoints: [checkpoint(1, 0, { reason: 'start' }), checkpoint(2, 5), checkpoint(3, 9, { reason: 'stop' })],
    begin: moment(0),
    end: moment(9),
    present: moment(9),
    live: true,
    memory: { budgetBytes: 512 << 20, usedBytes: 3 << 20 },
    ...more,
  };
}

function loaded(more: Partial<Timeline> = {}, clock?: () => number): TimelineModel {
  const model = new TimelineModel(clock);
  model.timelineLoaded(timeline(more));
  return model;
}

describe('the timeline model', () => {
  it('lists checkpoints with the latest moment first and marks the present', () => {
    const rows = loaded().checkpoints();
    assert.deepEqual(
      rows.map((row) => [row.checkpoint.id, row.label, row.here]),
      [
        [3, '900 ms', true],
        [2, '500 ms', false],
        [1, '0.00 ms', false],
      ],
    );
    assert.equal(rows[0]?.description, 'you are here · 1.0 MB · just now · stop');
    assert.equal(rows[2]?.description, 'program start · 1.0 MB · just now');
  });

  it('lets a checkpoint grow old without asking the adapter', () => {
    let now = 1000;
    const model = loaded({}, () => now);
    now += 61_000;
    assert.match(model.checkpoints()[1]?.description ?? '', /1 min ago · periodic$/);
  });

  it('believes the event about the present, which comes before the timeline', () => {
    const model = loaded();
    model.presentChanged({
      live: false,
      edited: false,
      behindMs: 400,
      present: moment(5),
      branch: 0,
      checkpointCount: 3,
    });
    assert.equal(model.live, false);
    assert.deepEqual(
      model
        .checkpoints()
        .filter((row) => row.here)
        .map((row) => row.checkpoint.id),
      [2],
    );
  });

  it('tells bookmarks from pinned and from named checkpoints', () => {
    const model = loaded({
      checkpoints: [
        checkpoint(1, 7, { pinned: true, name: 'before the loop' }),
        checkpoint(2, 3, { pinned: true }),
        checkpoint(3, 4, { name: 'only a name' }),
        checkpoint(4, 2, { pinned: true, name: 'earlier' }),
      ],
    });
    assert.deepEqual(
      model.bookmarks().map((row) => row.label),
      ['earlier', 'before the loop'],
    );
  });

  it('puts the present branch before the others', () => {
    const model = loaded({
      branches: [
        { id: 0, end: moment(9) },
        { id: 1, parent: 0, name: 'what if', end: moment(3, 1) },
      ],
      checkpoints: [checkpoint(1, 9), checkpoint(2, 3, { moment: moment(3, 1) })],
      present: moment(3, 1),
    });
    assert.deepEqual(
      model.checkpoints().map((row) => row.checkpoint.id),
      [2, 1],
    );
    assert.equal(model.branchName(0), 'First run');
    assert.equal(model.branchName(1), 'what if');
    assert.deepEqual(model.otherBranches(), [{ name: 'First run', end: moment(9) }]);
  });

  it('says where the present is', () => {
    const model = new TimelineModel();
    const texts = [model.presentText().text];
    const say = (live: boolean, behindMs: number, edited = false): void => {
      model.presentChanged({ live, edited, behindMs, branch: 0, checkpointCount: 1 });
      texts.push(model.presentText().text);
    };
    say(true, 0);
    say(false, 1250);
    say(false, 1250, true);
    model.timelineLoaded(timeline({ ended: { signal: 'SIGSEGV' } }));
    say(true, 0);
    model.timelineLoaded(timeline({ ended: { exitCode: 3 } }));
    say(true, 0);
    model.timelineLoaded(timeline({ branches: [{ id: 0 }, { id: 1, parent: 0 }] }));
    say(false, 20);
    assert.deepEqual(texts, [
      'live',
      'live',
      '1.25 s back',
      '1.25 s back, changed',
      'crashed: SIGSEGV',
      'ended, exit code 3',
      '20 ms back, first run',
    ]);
  });

  it('knows a crash from an ordinary end', () => {
    assert.equal(loaded({ ended: { signal: 'SIGSEGV' } }).crashed, true);
    assert.equal(loaded({ ended: { exitCode: 1 } }).crashed, false);
    assert.equal(loaded().crashed, false);
  });

  it('has nothing to say of the memory when there is nothing in it', () => {
    assert.equal(new TimelineModel().memoryText(), undefined);
    assert.equal(loaded({ checkpoints: [] }).memoryText(), undefined);
    assert.equal(loaded().memoryText(), '3.0 MB of 512 MB');
  });
});
