/**
 * The next thing to go to from where the playhead is: by stop, by checkpoint, or
 * by any mark; and what a drag asks for. Pure.
 */
import type { SeekTarget } from '../../extension/timeline/timelineMessages.js';
import { firstAfter, firstFrom, timeOf, type Item, type Lane, type Layer, type PictureModel } from './model.js';

export function targetOf(item: Item): SeekTarget {
  if ('checkpoint' in item) return { checkpoint: item.checkpoint.id };
  const { mark, branch } = item;
  return mark.kind === 'stop' ? { moment: mark.moment, event: mark.event, branch } : { event: mark.event, branch };
}

interface Place {
  readonly event: number;
  readonly timeMs: number;
}

function placeOf(item: Item): Place {
  return 'mark' in item ? item.mark : item.checkpoint.moment;
}

/** By the event, which is exact, and where that is the same by time. */
function compare(a: Place, b: Place): number {
  // Times of one event differ by what a clock tells; closer than a microsecond is the same place.
  return a.event - b.event || (Math.abs(a.timeMs - b.timeMs) < 0.001 ? 0 : a.timeMs - b.timeMs);
}

export function stepFrom(
  lane: Lane,
  present: Place,
  to: 'stop' | 'checkpoint' | 'item',
  direction: 1 | -1,
  shown: ReadonlySet<Layer>,
): SeekTarget | undefined {
  const layers: readonly Layer[] = to === 'item' ? [...shown] : to === 'stop' ? ['stop', 'bookmark'] : ['checkpoint'];
  let best: Item | undefined;
  for (const layer of layers)
    for (const item of lane.items[layer]) {
      if (compare(placeOf(item), present) * direction <= 0) continue;
      if (!best || compare(placeOf(item), placeOf(best)) * direction < 0) best = item;
    }
  if (best) return targetOf(best);
  return { to: direction < 0 ? 'begin' : 'end' };
}

/** While it is dragged: the nearest checkpoint, which costs next to nothing; the exact place when the hand rests. */
export function dragTargets(
  model: PictureModel,
  branch: number,
  timeMs: number,
): { near?: SeekTarget; exact: SeekTarget } {
  const checkpoint = model.checkpointBefore(branch, timeMs);
  return { ...(checkpoint ? { near: { checkpoint: checkpoint.id } } : {}), exact: { timeMs, branch } };
}

/** What the list shows: the items of the lanes in sight, in order, at most so many around a time. */
export function listed(
  lane: Lane | undefined,
  shown: ReadonlySet<Layer>,
  span: { fromMs: number; toMs: number },
  aroundMs: number,
  most: number,
): Item[] {
  if (!lane) return [];
  const items: Item[] = [];
  for (const layer of shown) {
    // No more than `most` to each side of the middle can be among the answer.
    const own = lane.items[layer];
    const from = firstFrom(own, span.fromMs);
    const to = firstAfter(own, span.toMs);
    const at = Math.min(to, Math.max(from, firstFrom(own, aroundMs)));
    for (const item of own.slice(Math.max(from, at - most), Math.min(to, at + most))) {
      if (layer === 'checkpoint' && 'checkpoint' in item && item.checkpoint.pinned && item.checkpoint.name) continue;
      items.push(item);
    }
  }
  items.sort((a, b) => compare(placeOf(a), placeOf(b)));
  if (items.length <= most) return items;
  const middle = items.findIndex((item) => timeOf(item) >= aroundMs);
  const from = Math.max(0, Math.min(items.length - most, (middle < 0 ? items.length : middle) - (most >> 1)));
  return items.slice(from, from + most);
}
