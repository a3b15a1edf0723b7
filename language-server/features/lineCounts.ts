/**
 * How often each line of a file was reached and each function called, over the
 * whole recorded past. Counting replays it, so what was counted is kept, and
 * when the program has run on only what is new is counted and added:
 *
 *     ├──── counted ────┤── new ──┤
 *     begin           upTo       end of the branch
 *
 * A recording that is longer than the settings say is counted only when the
 * person asks for it.
 *
 * Easy to get wrong: a moment that was the end may be forgotten later (its
 * checkpoint is thinned). Then everything is counted again.
 */
import type { Moment, ResponseOf } from '../../debug-adapter/protocol/timeTravel.js';
import { Refused } from '../sessions/adapterLink.js';
import type { LiveSession } from '../sessions/liveSession.js';

/** A person who steps quickly shall not be waited for: counting begins when the program is at rest. */
const restsAfter_ms = 300;
/** More lines than any file has. */
const everyLine = 10_000_000;

type Answer = ResponseOf<'chronofork/hitCounts'>;

export interface FunctionCount {
  readonly name: string;
  /** From 1 on. */
  readonly line: number;
  readonly endLine: number;
  readonly count: number;
}

export interface Counts {
  /** By line, from 1 on. */
  readonly lines: ReadonlyMap<number, number>;
  readonly functions: readonly FunctionCount[];
  /** Where counting ended. */
  readonly upTo: Moment;
}

/** The same file at a later end: what was counted before and what came after it. */
export function added(before: Counts, after: Answer, upTo: Moment): Counts {
  const lines = new Map(before.lines);
  for (const { line, count } of after.lines) lines.set(line, (lines.get(line) ?? 0) + count);
  const former = new Map(before.functions.map((one) => [`${one.line} ${one.name}`, one.count]));
  const functions = (after.functions ?? []).map((one) => ({
    ...one,
    count: one.count + (former.get(`${one.line} ${one.name}`) ?? 0),
  }));
  return { lines, functions, upTo };
}

const nothing = (upTo: Moment): Counts => ({ lines: new Map(), functions: [], upTo });

export class LineCounter {
  /** The counts of a file have changed. */
  onChange: (path: string) => void = () => undefined;
  private readonly counted = new WeakMap<LiveSession, Map<string, Counts>>();
  private readonly counting = new Set<string>();
  private readonly left = new Set<string>();

  constructor(private readonly longestUnasked_s: () => number) {}

  /** What is known of a file. */
  known(session: LiveSession, path: string): Counts | undefined {
    return this.counted.get(session)?.get(path);
  }

  /** It was not counted, because that would take long. */
  isLeftToPerson(session: LiveSession, path: string): boolean {
    const key = `${session.adapter} ${path}`;
    return this.left.has(key) && !this.counting.has(key);
  }

  /** Counts when the program is at rest, unless that would take long. Its end is told by `onChange`. */
  countSoon(session: LiveSession, path: string): void {
    const { view } = session;
    setTimeout(() => {
      if (view && session.view === view) void this.count(session, path, false).catch(() => undefined);
    }, restsAfter_ms).unref();
  }

  /**
   * Counts what has not been counted yet.
   *
   * @param asked  the person wants it, however long it takes
   * @throws Refused
   */
  async count(session: LiveSession, path: string, asked: boolean): Promise<void> {
    const key = `${session.adapter} ${path}`;
    if (this.counting.has(key)) return;
    this.counting.add(key);
    try {
      const { end, present } = await session.ask('chronofork/timeline', {});
      const known = this.known(session, path);
      // What was counted belongs to one line of time.
      const base = known && known.upTo.branch === present.branch ? known : undefined;
      if (base?.upTo.id === end.id) return;
      const isLong = end.timeMs - (base?.upTo.timeMs ?? 0) > this.longestUnasked_s() * 1000;
      if (isLong && !asked) {
        this.left.add(key);
        return;
      }
      this.left.delete(key);
      const counts = await this.countFrom(session, path, base, end);
      const files = this.counted.get(session) ?? new Map<string, Counts>();
      this.counted.set(session, files.set(path, counts));
    } finally {
      this.counting.delete(key);
      this.onChange(path);
    }
  }

  private async countFrom(session: LiveSession, path: string, base: Counts | undefined, end: Moment): Promise<Counts> {
    const args = { source: { path }, functions: true, count: everyLine };
    if (base) {
      try {
        return added(base, await session.ask('chronofork/hitCounts', { ...args, from: base.upTo.id }), end);
      } catch (error) {
        if (!(error instanceof Refused) || ['stale', 'running', 'cancelled', 'notLaunched'].includes(error.code))
          throw error;
      }
    }
    return added(nothing(end), await session.ask('chronofork/hitCounts', args), end);
  }
}
