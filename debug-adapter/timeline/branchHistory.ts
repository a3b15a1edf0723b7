/**
 * The marks of one branch, kept in a list for each source, so that what is
 * found late (the text of output) moves nothing else. A page is merged from the
 * lists when it is asked for. Pure.
 */
import { constants } from 'node:os';
import type { EventMarkColumns } from '../core/core.js';
import type { HistoryMark, HistoryMarkKind, StopMark } from '../protocol/timeTravel.js';
import type { OutputLine, OutputText, OutputWrite } from './outputText.js';
import { ThreadRuns } from './threadRuns.js';

/** Of each source; what a person can look through is far less. */
export const mostMarks = 500_000;

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number as number, name]));

export function signalName(number: number): string {
  // 34 is the first that glibc leaves to programs.
  return signalNames.get(number) ?? (number >= 34 ? `SIGRTMIN+${number - 34}` : `signal ${number}`);
}

export interface MarkFilter {
  kinds: ReadonlySet<HistoryMarkKind> | undefined;
  fromEvent: number;
  fromMs: number;
  toMs: number;
}

export class BranchHistory {
  readonly runs = new ThreadRuns();
  readonly stops: StopMark[] = [];
  lookedAt = 0;
  /** Marks were left out: there are too many. */
  full = false;
  private readonly events: HistoryMark[] = [];

  /**
   * @param outputs  by descriptor 1 and 2; a terminal is one for both
   */
  constructor(private readonly outputs: readonly [OutputText, OutputText]) {}

  add(columns: EventMarkColumns): void {
    this.lookedAt = columns.lookedAt;
    columns.kind.forEach((kind, index) => {
      const at = {
        event: columns.event[index] ?? 0,
        timeMs: columns.timeMs[index] ?? 0,
        threadId: columns.thread[index] ?? 0,
      };
      const number = columns.number[index] ?? 0;
      if (kind === 'output') return this.wrote(columns, index, at);
      if (kind === 'switch') {
        if (this.runs.empty) this.runs.goesOn(at.threadId, -Infinity);
        this.runs.goesOn(number, at.timeMs);
      }
      if (this.events.length >= mostMarks) {
        this.full = true;
        return;
      }
      if (kind === 'signal') {
        const handled = columns.handled[index] === 1;
        this.events.push({ kind, ...at, signal: signalName(number), handled });
      } else this.events.push({ kind: kind === 'switch' ? 'threadSwitch' : kind, ...at, other: number });
    });
  }

  /** Marks before this event are final. */
  get settled(): number {
    let settled = this.lookedAt;
    for (const { unresolved, openLine } of this.outputs) {
      settled = Math.min(settled, unresolved[0]?.event ?? settled);
      // A prompt stands open until the line ends; one that is long past is left as it is.
      if (openLine && this.lookedAt - openLine.event < 10_000) settled = Math.min(settled, openLine.event);
    }
    return settled;
  }

  /** The marks that pass, in order: `count` of them and all that are of the same event as the last. */
  page(filter: MarkFilter, count: number): { marks: HistoryMark[]; next?: number } {
    const marks: HistoryMark[] = [];
    for (const mark of this.from(filter)) {
      const before = marks.at(-1);
      if (marks.length >= count && before?.event !== mark.event) return { marks, next: mark.event };
      marks.push(mark);
    }
    return { marks };
  }

  /** How many marks of each kind are in each of `buckets` equal parts of time. */
  counts(filter: MarkFilter, buckets: number): Partial<Record<HistoryMarkKind, number[]>> {
    const counts: Partial<Record<HistoryMarkKind, number[]>> = {};
    const perMs = buckets / (filter.toMs - filter.fromMs);
    for (const { kind, timeMs } of this.from({ ...filter, fromEvent: 0 })) {
      const own = (counts[kind] ??= new Array<number>(buckets).fill(0));
      const bucket = Math.min(buckets - 1, Math.max(0, Math.floor((timeMs - filter.fromMs) * perMs)));
      own[bucket] = (own[bucket] ?? 0) + 1;
    }
    return counts;
  }

  private wrote(columns: EventMarkColumns, index: number, at: Omit<OutputWrite, 'stream' | 'bytes' | 'digest'>): void {
    const stream = columns.stream[index] === 2 ? 'stderr' : 'stdout';
    const output = this.outputs[stream === 'stderr' ? 1 : 0];
    if (output.lines.length >= mostMarks) this.full = true;
    else output.wrote({ ...at, stream, bytes: columns.bytes[index] ?? 0, digest: columns.digest[index] ?? null });
  }

  /** All lists merged, from an event on. */
  private *from({ kinds, fromEvent, fromMs, toMs }: MarkFilter): Generator<HistoryMark> {
    const lists: { readonly marks: readonly HistoryMark[]; at: number }[] = [];
    const add = (marks: readonly HistoryMark[]) => lists.push({ marks, at: firstFrom(marks, fromEvent) });
    const wants = (kind: HistoryMarkKind) => !kinds || kinds.has(kind);
    add(this.events);
    if (wants('output'))
      for (const { lines, unresolved } of new Set(this.outputs)) {
        add(marksOf(lines, fromEvent));
        add(marksOf(unresolved, fromEvent));
      }
    add(this.stops);
    for (;;) {
      let first: (typeof lists)[number] | undefined;
      for (const list of lists) {
        const mark = list.marks[list.at];
        if (mark && (!first || mark.event < first.marks[first.at]!.event)) first = list;
      }
      if (!first) return;
      const mark = first.marks[first.at++]!;
      if (wants(mark.kind) && mark.timeMs >= fromMs && mark.timeMs <= toMs) yield mark;
    }
  }
}

function firstFrom(marks: readonly { event: number }[], event: number): number {
  let low = 0;
  for (let high = marks.length; low < high;) {
    const middle = (low + high) >> 1;
    if (marks[middle]!.event < event) low = middle + 1;
    else high = middle;
  }
  return low;
}

function marksOf(lines: readonly (OutputLine | OutputWrite)[], fromEvent: number): HistoryMark[] {
  return lines.slice(firstFrom(lines, fromEvent)).map((line) => {
    const { event, timeMs, threadId, stream, bytes } = line;
    const text = 'text' in line ? line.text : undefined;
    return { kind: 'output', event, timeMs, threadId, stream, bytes, ...(text === undefined ? {} : { text }) };
  });
}
