/**
 * Which thread ran when: one at a time, from one recorded switch to the next.
 * Pure. Times are milliseconds of run time.
 */

interface Run {
  readonly threadId: number;
  readonly fromMs: number;
}

export class ThreadRuns {
  private readonly runs: Run[] = [];

  /** From here on this thread runs. */
  goesOn(threadId: number, fromMs: number): void {
    if (this.runs.at(-1)?.threadId !== threadId) this.runs.push({ threadId, fromMs });
  }

  get empty(): boolean {
    return this.runs.length === 0;
  }

  /** The one that ran last. */
  get last(): number | undefined {
    return this.runs.at(-1)?.threadId;
  }

  /** How long each thread ran in each of `buckets` equal parts of [fromMs, toMs), in the order of appearance. */
  busy(fromMs: number, toMs: number, buckets: number): { threadId: number; busyMs: number[] }[] {
    const width = (toMs - fromMs) / buckets;
    const busy = new Map<number, number[]>();
    if (!(width > 0)) return [];
    this.runs.forEach((run, index) => {
      const begins = Math.max(run.fromMs, fromMs);
      const ends = Math.min(this.runs[index + 1]?.fromMs ?? toMs, toMs);
      if (ends <= begins) return;
      const own = busy.get(run.threadId) ?? new Array<number>(buckets).fill(0);
      busy.set(run.threadId, own);
      for (let bucket = Math.floor((begins - fromMs) / width); bucket < buckets; bucket++) {
        const left = fromMs + bucket * width;
        if (left >= ends) break;
        own[bucket] = (own[bucket] ?? 0) + Math.max(0, Math.min(ends, left + width) - Math.max(begins, left));
      }
    });
    return [...busy].map(([threadId, busyMs]) => ({ threadId, busyMs }));
  }
}
