/** What the picture says in words: hover cards, the list, and the playhead for screen readers. Pure. */
import {
  durationText,
  locationText,
  megabytesText,
  reasonSentence,
  runTimeText,
} from '../../extension/timeline/words.js';
import type { HistoryMark, Timeline } from '../../debug-adapter/protocol/timeTravel.js';
import type { Item, Lane, Layer, PictureModel } from './model.js';
import { timeOf } from './model.js';

export const layerNames: Record<Layer, string> = {
  stop: 'Stops',
  bookmark: 'Bookmarks',
  signal: 'Signals',
  output: 'Output',
  thread: 'Threads',
  checkpoint: 'Checkpoints',
};

/** One line: what an item is. */
export function titleOf(item: Item): string {
  if (!('mark' in item)) {
    const { name, reason } = item.checkpoint;
    return item.layer === 'bookmark' ? `Bookmark: ${name}` : `Checkpoint${name ? ` “${name}”` : ''}, ${reason}`;
  }
  return markTitle(item.mark);
}

function markTitle(mark: HistoryMark): string {
  switch (mark.kind) {
    case 'stop':
      return `Stopped${placeOf(mark)}: ${mark.description ?? mark.reason}`;
    case 'signal':
      return `Signal ${mark.signal}${mark.handled ? ', handled' : ''}`;
    case 'output':
      return mark.text === undefined ? `${mark.bytes} bytes to ${mark.stream}` : mark.text.trimEnd() || '(empty line)';
    case 'threadSwitch':
      return `Thread ${mark.other} goes on after ${mark.threadId}`;
    case 'threadBegin':
      return `Thread ${mark.other} begins`;
    case 'threadEnd':
      return `Thread ${mark.other} ends`;
  }
}

function placeOf({ location }: Extract<HistoryMark, { kind: 'stop' }>): string {
  const file = location?.path?.split('/').pop();
  return file ? ` at ${file}:${location?.line}` : '';
}

/** The lines of a hover card, the first being its title. */
export function cardOf(item: Item, count: number): string[] {
  const at = runTimeText(timeOf(item));
  const more = count > 1 ? [`${count} marks here: zoom in to tell them apart`] : [];
  if ('mark' in item) {
    const { mark } = item;
    const location = mark.kind === 'stop' ? locationText(mark.location) : undefined;
    const thread = mark.kind === 'stop' || mark.kind === 'output' ? mark.threadId : undefined;
    const stream = mark.kind === 'output' ? `written to ${mark.stream}` : undefined;
    return [
      titleOf(item),
      [location, stream, at, `event ${mark.event}`, thread === undefined ? undefined : `thread ${thread}`]
        .filter(Boolean)
        .join(' · '),
      ...more,
    ];
  }
  const { checkpoint } = item;
  const location = locationText(checkpoint.location);
  return [
    titleOf(item),
    [location, at, `event ${checkpoint.moment.event}`].filter(Boolean).join(' · '),
    `${reasonSentence(checkpoint.reason)}. It holds ${megabytesText(checkpoint.privateBytes)} of its own.`,
    ...more,
  ];
}

/** For the list and for screen readers: everything in one line. */
export function lineOf(item: Item): string {
  return `${runTimeText(timeOf(item))}: ${titleOf(item)}`;
}

/** Where the playhead is, in words. */
export function playheadText(model: PictureModel): string {
  const { present } = model;
  if (!present) return 'No program';
  const lane = model.lanes.length > 1 ? `, ${model.laneOf(present.branch)?.name ?? ''}` : '';
  return `${runTimeText(present.timeMs)}, ${present.running ? 'running' : present.text}${lane}`;
}

/** What is held ready: the budget, and how far back it reaches. */
export function reachText(timeline: Timeline): string {
  const { memory, begin, end, checkpoints } = timeline;
  const used = `${megabytesText(memory.usedBytes)} of ${megabytesText(memory.budgetBytes)}`;
  const back = Math.max(0, end.timeMs - begin.timeMs);
  return `${checkpoints.length} checkpoints, ${used}; reaches back ${durationText(back)}, to the beginning`;
}

/** The picture in a sentence, for who cannot see it. */
export function summaryOf(model: PictureModel): string {
  const lanes = model.lanes.map(
    (lane) =>
      `${lane.name}: ${runTimeText(lane.part.extent.fromMs)} to ${runTimeText(lane.part.extent.toMs)}, ${countsOf(lane)}`,
  );
  return lanes.join('. ');
}

function countsOf({ items }: Lane): string {
  const counts = (Object.keys(layerNames) as Layer[]).filter((layer) => items[layer].length > 0);
  return counts.map((layer) => `${items[layer].length} ${layerNames[layer].toLowerCase()}`).join(', ') || 'nothing yet';
}
