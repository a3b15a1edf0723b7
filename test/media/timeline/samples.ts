/** A run to draw: as many marks as wanted, evenly spread over a second. */
import type { HistoryMark, Timeline } from '../../../debug-adapter/protocol/timeTravel.js';
import type { LanePart } from '../../../extension/timeline/timelineMessages.js';
import { PictureModel } from '../../../media/timeline/model.js';

export function output(event: number, timeMs = event, text = `line ${event}`): HistoryMark {
  return { kind: 'output', event, timeMs, threadId: 1, stream: 'stdout', text, bytes: text.length + 1 };
}

export function stop(event: number, timeMs = event): HistoryMark {
  return { kind: 'stop', event, timeMs, threadId: 1, moment: 1000 + event, reason: 'breakpoint' };
}

export function part(marks: HistoryMark[], more: Partial<LanePart> = {}): LanePart {
  const extent = { fromEvent: 0, toEvent: 1000, fromMs: 0, toMs: 1000 };
  const threads = [
    { threadId: 1, busyMs: [500] },
    { threadId: 2, busyMs: [500] },
  ];
  return { branch: 0, name: 'First run', fromEvent: 0, marks, extent, memory: [], threads, ...more };
}

export function timeline(times: number[]): Timeline {
  const moment = (id: number, timeMs: number) => ({ id, order: id, event: timeMs, timeMs, branch: 0, pc: '0x1' });
  const checkpoints = times.map((timeMs, index) => ({
    id: index + 1,
    moment: moment(index + 1, timeMs),
    reason: 'interval' as const,
    privateBytes: 1 << 20,
    ageMs: 0,
    pinned: index === 1,
    ...(index === 1 ? { name: 'here' } : {}),
  }));
  return {
    branches: [{ id: 0 }],
    checkpoints,
    begin: moment(0, 0),
    end: moment(99, 1000),
    present: moment(99, 1000),
    live: true,
    memory: { budgetBytes: 1 << 30, usedBytes: 3 << 20 },
  };
}

export function picture(marks: HistoryMark[], checkpoints: number[] = []): PictureModel {
  const model = new PictureModel();
  model.begin('sample');
  model.setTimeline(timeline(checkpoints));
  model.addPart(part(marks));
  model.present = { running: false, live: true, text: 'live', branch: 0, timeMs: 1000, event: 1000 };
  return model;
}
