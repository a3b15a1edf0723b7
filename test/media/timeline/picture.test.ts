/** The picture's logic: marks that come in parts, places, levels of detail, hits, steps, keys and words. */
import assert from 'node:assert/strict';
import { eachCell } from '../../../media/timeline/cells.js';
import { actionOf } from '../../../media/timeline/keys.js';
import { branchAt, hitAt, rowsOf } from '../../../media/timeline/layout.js';
import { layers, type Layer } from '../../../media/timeline/model.js';
import { dragTargets, listed, stepFrom } from '../../../media/timeline/steps.js';
import { axisText, axisTimes, Viewport } from '../../../media/timeline/viewport.js';
import { cardOf, playheadText, reachText, summaryOf } from '../../../media/timeline/words.js';
import { output, part, picture, stop, timeline } from './samples.js';

const all: ReadonlySet<Layer> = new Set(layers);

function wide(fromMs = 0, toMs = 1000): Viewport {
  const viewport = new Viewport();
  viewport.left = 100;
  viewport.width = 1000;
  viewport.setWhole({ fromMs, toMs });
  return viewport;
}

describe('the model of the picture', () => {
  it('replaces marks from the first event of a part on', () => {
    const model = picture([output(1), output(2), output(3, 3, 'half')]);
    model.addPart(part([output(3, 3, 'half and whole'), stop(4)], { fromEvent: 3 }));
    const { items } = model.laneOf(0)!;
    assert.deepEqual(
      items.output.map((item) => 'mark' in item && item.mark.kind === 'output' && item.mark.text),
      ['line 1', 'line 2', 'half and whole'],
    );
    assert.equal(items.stop.length, 1);
  });

  it('forgets a session when another begins', () => {
    const model = picture([output(1)]);
    model.begin('other');
    assert.equal(model.extent, undefined);
    assert.equal(model.markCount, 0);
  });

  it('knows named and pinned checkpoints as bookmarks', () => {
    const { items } = picture([], [0, 10, 20]).laneOf(0)!;
    assert.equal(items.checkpoint.length, 3);
    assert.equal(items.bookmark.length, 1);
  });
});

describe('the viewport', () => {
  it('keeps the time under the pointer where it is when zoomed, and stays within the whole', () => {
    const viewport = wide();
    viewport.zoom(0.5, 350);
    assert.ok(Math.abs(viewport.time(350) - 250) < 1e-9);
    assert.equal(viewport.span.toMs - viewport.span.fromMs, 500);
    viewport.pan(-10);
    assert.equal(viewport.span.fromMs, 0);
    viewport.zoom(8);
    assert.deepEqual(viewport.span, { fromMs: 0, toMs: 1000 });
  });

  it('follows a growing run only while all of it is in sight', () => {
    const viewport = wide();
    viewport.setWhole({ fromMs: 0, toMs: 2000 });
    assert.equal(viewport.span.toMs, 2000);
    viewport.zoom(0.25);
    const before = viewport.span;
    viewport.setWhole({ fromMs: 0, toMs: 4000 });
    assert.deepEqual(viewport.span, before);
    viewport.reveal(3900);
    assert.ok(viewport.span.toMs >= 3900);
  });

  it('labels its axis with round times', () => {
    assert.deepEqual(axisTimes({ fromMs: 0, toMs: 1000 }, 5), [0, 200, 400, 600, 800, 1000]);
    assert.equal(axisText(250, { fromMs: 0, toMs: 500 }), '250 ms');
    assert.equal(axisText(1250, { fromMs: 1000, toMs: 2000 }), '1.3 s');
    assert.equal(axisText(0.0125, { fromMs: 0.01, toMs: 0.02 }), '13 µs');
  });
});

describe('the level of detail', () => {
  it('makes one cell of what would be drawn over each other, and loses none', () => {
    const marks = Array.from({ length: 100_000 }, (_, index) => output(index, index / 100));
    const { items } = picture(marks).laneOf(0)!;
    let sum = 0;
    const cells = eachCell(items.output, wide(), 2, (_x, count) => (sum += count));
    assert.equal(sum, 100_000);
    assert.ok(cells <= 501, `${cells} cells`);
  });

  it('shows single marks where there is room', () => {
    const { items } = picture([output(1, 100), output(2, 101), output(3, 500)]).laneOf(0)!;
    const places: number[] = [];
    eachCell(items.output, wide(), 2, (x, count) => places.push(x, count));
    assert.deepEqual(places, [200, 1, 202, 1, 600, 1]);
  });
});

describe('what is under the pointer', () => {
  const model = picture([stop(5, 500), output(6, 502)], [0, 500]);
  const viewport = wide();
  const { rows } = rowsOf(model.lanes, 0);
  const at = (kind: string) => rows.find((row) => row.kind === kind)!.top + 2;

  it('is the nearest mark of the row', () => {
    const hit = hitAt(603, at('flags'), rows, model.lanes, viewport, all);
    // The bookmark is drawn over the stop that is at the same place.
    assert.equal(hit?.item.layer, 'bookmark');
    assert.equal(hit?.count, 2);
    const line = hitAt(603, at('lines'), rows, model.lanes, viewport, all);
    assert.ok(line && line.item.layer === 'output');
    assert.equal(hitAt(300, at('lines'), rows, model.lanes, viewport, all), undefined);
    assert.equal(hitAt(603, at('lines'), rows, model.lanes, viewport, new Set(['stop'])), undefined);
  });

  it('is on a lane', () => {
    assert.equal(branchAt(at('checkpoints'), rows, 7), 0);
    assert.equal(branchAt(5000, rows, 7), 7);
  });

  it('has a row for each thread, unless there is but one', () => {
    assert.equal(rows.filter(({ kind }) => kind === 'thread').length, 2);
    const single = picture([]);
    single.addPart(part([], { threads: [{ threadId: 1, busyMs: [1] }] }));
    assert.equal(rowsOf(single.lanes, 0).rows.filter(({ kind }) => kind === 'thread').length, 0);
  });

  it('is higher where there is room', () => {
    const low = rowsOf(model.lanes, 0, 10);
    const high = rowsOf(model.lanes, 0, 10_000);
    assert.ok(high.height > low.height * 1.4 && high.height < low.height * 1.8);
  });
});

describe('steps of the playhead', () => {
  const lane = picture([stop(10), output(20), stop(30), stop(50)], [0, 25, 40]).laneOf(0)!;
  const from = (event: number) => ({ event, timeMs: event });

  it('go by stop, by checkpoint and by mark, and to the ends', () => {
    assert.deepEqual(stepFrom(lane, from(40), 'stop', -1, all), { moment: 1030, event: 30, branch: 0 });
    assert.deepEqual(stepFrom(lane, from(30), 'stop', 1, all), { moment: 1050, event: 50, branch: 0 });
    assert.deepEqual(stepFrom(lane, from(30), 'checkpoint', -1, all), { checkpoint: 2 });
    assert.deepEqual(stepFrom(lane, from(15), 'item', 1, all), { event: 20, branch: 0 });
    assert.deepEqual(stepFrom(lane, from(10), 'stop', -1, all), { to: 'begin' });
    assert.deepEqual(stepFrom(lane, from(50), 'stop', 1, all), { to: 'end' });
  });

  it('ask for the nearest checkpoint while dragging, and then for the time itself', () => {
    const model = picture([], [0, 25, 40]);
    assert.deepEqual(dragTargets(model, 0, 39), { near: { checkpoint: 2 }, exact: { timeMs: 39, branch: 0 } });
    assert.deepEqual(dragTargets(model, 1, 39), { exact: { timeMs: 39, branch: 1 } });
  });

  it('list what is in sight, around the present where it is too much', () => {
    const many = picture(Array.from({ length: 1000 }, (_, index) => output(index))).laneOf(0);
    const items = listed(many, all, { fromMs: 0, toMs: 1000 }, 500, 100);
    assert.equal(items.length, 100);
    assert.ok(items.some((item) => 'mark' in item && item.mark.event === 500));
    assert.deepEqual(listed(undefined, all, { fromMs: 0, toMs: 1 }, 0, 10), []);
  });
});

describe('keys of the picture', () => {
  it('are those of a slider, and leave the editor’s own alone', () => {
    assert.deepEqual(actionOf({ key: 'ArrowLeft' }), { kind: 'step', to: 'stop', direction: -1 });
    assert.deepEqual(actionOf({ key: 'ArrowRight', shiftKey: true }), { kind: 'step', to: 'checkpoint', direction: 1 });
    assert.deepEqual(actionOf({ key: 'Home' }), { kind: 'end', to: 'begin' });
    assert.deepEqual(actionOf({ key: '+' }), { kind: 'zoom', factor: 0.5 });
    assert.equal(actionOf({ key: 'b', ctrlKey: true }), undefined);
    assert.equal(actionOf({ key: 'x' }), undefined);
  });
});

describe('the picture in words', () => {
  it('says where the playhead is, what there is, and how far back it reaches', () => {
    const model = picture([output(1), stop(2)], [0, 10]);
    assert.equal(playheadText(model), '1.000 s, live');
    assert.match(summaryOf(model), /First run: .*1 stops, 1 bookmarks, 1 output, 2 checkpoints/);
    assert.equal(
      reachText(timeline([0, 10])),
      '2 checkpoints, 3 MB of 1.0 GB; reaches back 1.00 s, to the beginning'.replace('3 MB', '3.0 MB'),
    );
  });

  it('tells of a cell how many marks it is', () => {
    const item = picture([output(7)]).laneOf(0)!.items.output[0]!;
    assert.deepEqual(cardOf(item, 3), [
      'line 7',
      'written to stdout · 7.00 ms · event 7 · thread 1',
      '3 marks here: zoom in to tell them apart',
    ]);
  });
});
