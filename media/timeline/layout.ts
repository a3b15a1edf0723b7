/**
 * Where everything is: rows from top to bottom, and what is under a point.
 * Pure.
 *
 *     axis        0 s        1 s        2 s
 *     lane        name    ▲ stops, bookmarks, signals
 *                         │ output      ┊ thread switches
 *                         ┃ checkpoints, as high as their price
 *     lane …
 *     memory      ▂▂▅▂▂ written between two checkpoints
 *     thread      ████▁▁██ …
 */
import { firstFrom, timeOf, type Item, type Lane, type Layer } from './model.js';
import type { Viewport } from './viewport.js';

export interface Row {
  readonly kind: 'axis' | 'flags' | 'lines' | 'checkpoints' | 'memory' | 'thread';
  readonly top: number;
  readonly height: number;
  readonly branch?: number;
  readonly threadId?: number;
}

/** Where there is room rows are higher, up to this. */
const highest = 1.7;

const heights = { axis: 20, flags: 16, lines: 12, checkpoints: 16, memory: 26, thread: 10 };
const laneGap = 6;

/** More threads than this are not drawn one by one: nobody sees anything in so many bars. */
export const mostThreads = 12;

/** Which layers a row shows; what is drawn later is hit first. */
export const layersOf: Partial<Record<Row['kind'], readonly Layer[]>> = {
  flags: ['stop', 'signal', 'bookmark'],
  lines: ['thread', 'output'],
  checkpoints: ['checkpoint'],
};

/** @param room  the height that there is; rows that need more are scrolled */
export function rowsOf(
  lanes: readonly Lane[],
  presentBranch: number,
  room = 0,
): { rows: readonly Row[]; height: number } {
  const least = rowsAt(1, lanes, presentBranch);
  const scale = Math.min(highest, room / least.height);
  return scale > 1 ? rowsAt(scale, lanes, presentBranch) : least;
}

function rowsAt(scale: number, lanes: readonly Lane[], presentBranch: number): { rows: Row[]; height: number } {
  const rows: Row[] = [];
  let top = 0;
  const add = (kind: Row['kind'], more: Partial<Row> = {}) => {
    const height = kind === 'axis' ? heights.axis : Math.floor(heights[kind] * scale);
    rows.push({ kind, top, height, ...more });
    top += height;
  };
  add('axis');
  for (const { branch } of lanes) {
    top += laneGap / 2;
    for (const kind of ['flags', 'lines', 'checkpoints'] as const) add(kind, { branch });
    top += laneGap / 2;
  }
  const present = lanes.find(({ branch }) => branch === presentBranch);
  if (present) {
    const branch = present.branch;
    add('memory', { branch });
    top += laneGap;
    const threads = present.part.threads.slice(0, mostThreads);
    // One thread is always busy: nothing to be seen in it.
    if (threads.length > 1)
      for (const { threadId } of threads) {
        add('thread', { branch, threadId });
        top += 2;
      }
  }
  return { rows, height: top + laneGap };
}

export interface Hit {
  readonly item: Item;
  /** How many are so close together that they are drawn as one. */
  readonly count: number;
}

/** A finger's or a pointer's width. */
const reach_px = 6;

/** The item under a point, if any; of several the nearest. */
export function hitAt(
  x: number,
  y: number,
  rows: readonly Row[],
  lanes: readonly Lane[],
  viewport: Viewport,
  shown: ReadonlySet<Layer>,
): Hit | undefined {
  const row = rows.find(({ top, height }) => y >= top && y < top + height);
  const lane = row && lanes.find(({ branch }) => branch === row.branch);
  const rowLayers = row && layersOf[row.kind];
  if (!lane || !rowLayers) return undefined;
  let best: Item | undefined;
  let count = 0;
  let nearest = reach_px;
  for (const layer of rowLayers) {
    if (!shown.has(layer)) continue;
    const items = lane.items[layer];
    for (let at = firstFrom(items, viewport.time(x - reach_px)); at < items.length; at++) {
      const item = items[at]!;
      const away = Math.abs(viewport.x(timeOf(item)) - x);
      if (viewport.x(timeOf(item)) > x + reach_px) break;
      count++;
      if (away > nearest) continue;
      nearest = away;
      best = item;
    }
  }
  return best && { item: best, count };
}

/** The lane at a height; outside of all: the present one's. */
export function branchAt(y: number, rows: readonly Row[], presentBranch: number): number {
  const row = rows.find((one) => one.branch !== undefined && y >= one.top - laneGap / 2 && y < one.top + one.height);
  return row?.branch ?? presentBranch;
}
