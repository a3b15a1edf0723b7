/**
 * What the picture is made of: lanes (branches) with their marks, checkpoints,
 * memory and threads. Pure: fed with messages, asked by the drawing.
 *
 * Easy to get wrong: marks come in parts, and the last of them may come again,
 * changed: a part replaces what was there from its first event on.
 */
import type { Checkpoint, HistoryMark, Timeline } from '../../debug-adapter/protocol/timeTravel.js';
import type { LanePart, PresentState } from '../../extension/timeline/timelineMessages.js';

/** Rows of a lane, and what the legend can switch off. */
export type Layer = 'stop' | 'bookmark' | 'signal' | 'output' | 'thread' | 'checkpoint';
export const layers: readonly Layer[] = ['stop', 'bookmark', 'signal', 'output', 'thread', 'checkpoint'];

/** One thing of the picture that can be hovered over and gone to. */
export type Item =
  | { readonly layer: Exclude<Layer, 'checkpoint' | 'bookmark'>; readonly branch: number; readonly mark: HistoryMark }
  | { readonly layer: 'checkpoint' | 'bookmark'; readonly branch: number; readonly checkpoint: Checkpoint };

export function timeOf(item: Item): number {
  return 'mark' in item ? item.mark.timeMs : item.checkpoint.moment.timeMs;
}

export function layerOf(mark: HistoryMark): Exclude<Layer, 'checkpoint' | 'bookmark'> {
  if (mark.kind === 'stop' || mark.kind === 'signal' || mark.kind === 'output') return mark.kind;
  return 'thread';
}

export interface Lane {
  readonly branch: number;
  readonly name: string;
  readonly part: LanePart;
  /** By layer, in the order of time. */
  readonly items: Readonly<Record<Layer, readonly Item[]>>;
}

export class PictureModel {
  present: PresentState | undefined;
  timeline: Timeline | undefined;
  sessionName: string | undefined;
  private marks = new Map<number, HistoryMark[]>();
  private parts = new Map<number, LanePart>();
  private lanes_: Lane[] | undefined;

  begin(name: string | undefined): void {
    this.sessionName = name;
    this.present = this.timeline = this.lanes_ = undefined;
    this.marks = new Map();
    this.parts = new Map();
  }

  setTimeline(timeline: Timeline): void {
    this.timeline = timeline;
    this.lanes_ = undefined;
  }

  addPart(part: LanePart): void {
    const known = this.marks.get(part.branch) ?? [];
    let kept = known.length;
    while (kept > 0 && known[kept - 1]!.event >= part.fromEvent) kept--;
    known.length = kept;
    for (const mark of part.marks) known.push(mark);
    this.marks.set(part.branch, known);
    this.parts.set(part.branch, part);
    this.lanes_ = undefined;
  }

  /** The present branch is `present`; lanes are in the order of their branches. */
  get lanes(): readonly Lane[] {
    return (this.lanes_ ??= [...this.parts.values()]
      .sort((a, b) => a.branch - b.branch)
      .map((part) => this.lane(part)));
  }

  get markCount(): number {
    return [...this.marks.values()].reduce((sum, marks) => sum + marks.length, 0);
  }

  /** The run time that the picture is about; undefined: there is nothing to draw yet. */
  get extent(): { fromMs: number; toMs: number } | undefined {
    const extents = [...this.parts.values()].map(({ extent }) => extent);
    if (extents.length === 0) return undefined;
    const fromMs = Math.min(...extents.map((one) => one.fromMs));
    const toMs = Math.max(...extents.map((one) => one.toMs), fromMs + 0.001);
    return { fromMs, toMs };
  }

  laneOf(branch: number): Lane | undefined {
    return this.lanes.find((lane) => lane.branch === branch);
  }

  /** The checkpoint from which a moment is reached. */
  checkpointBefore(branch: number, timeMs: number): Checkpoint | undefined {
    let found: Checkpoint | undefined;
    for (const checkpoint of this.timeline?.checkpoints ?? []) {
      const { moment } = checkpoint;
      if (moment.branch !== branch || moment.timeMs > timeMs) continue;
      if (!found || moment.order > found.moment.order) found = checkpoint;
    }
    return found;
  }

  private lane(part: LanePart): Lane {
    const { branch, name } = part;
    const items: Record<Layer, Item[]> = { stop: [], bookmark: [], signal: [], output: [], thread: [], checkpoint: [] };
    for (const mark of this.marks.get(branch) ?? []) items[layerOf(mark)].push({ layer: layerOf(mark), branch, mark });
    const own = (this.timeline?.checkpoints ?? []).filter(({ moment }) => moment.branch === branch);
    own.sort((a, b) => a.moment.order - b.moment.order);
    for (const checkpoint of own) {
      items.checkpoint.push({ layer: 'checkpoint', branch, checkpoint });
      if (checkpoint.pinned && checkpoint.name) items.bookmark.push({ layer: 'bookmark', branch, checkpoint });
    }
    return { branch, name, part, items };
  }
}

/** The first index whose time is not before `timeMs`. */
export function firstFrom(items: readonly Item[], timeMs: number): number {
  return firstThat(items, (item) => timeOf(item) >= timeMs);
}

/** The first index whose time is after `timeMs`. */
export function firstAfter(items: readonly Item[], timeMs: number): number {
  return firstThat(items, (item) => timeOf(item) > timeMs);
}

function firstThat(items: readonly Item[], holds: (item: Item) => boolean): number {
  let low = 0;
  for (let high = items.length; low < high;) {
    const middle = (low + high) >> 1;
    if (holds(items[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}
