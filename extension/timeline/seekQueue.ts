/**
 * Wishes to go somewhere come faster than they can be fulfilled, while a
 * playhead is dragged. One is under way at a time; of those that come meanwhile
 * only the latest counts. One that takes long and is no longer wanted is
 * cancelled. Pure: time and the requests are given.
 */

export interface SeekWish<T> {
  readonly target: T;
  /** Only on the way: may be dropped for a later one. */
  readonly passing: boolean;
}

/** Most arrive sooner; a cancel costs a stop as well. */
const patience_ms = 250;

export class SeekQueue<T> {
  private next: SeekWish<T> | undefined;
  private current: (SeekWish<T> & { since: number }) | undefined;
  private cancelled = false;

  /**
   * @param carryOut  goes there; resolves when it has arrived or was refused
   * @param cancel    ends what `carryOut` does
   */
  constructor(
    private readonly carryOut: (wish: SeekWish<T>) => Promise<void>,
    private readonly cancel: () => void,
    private readonly clock: () => number = () => performance.now(),
    private readonly later: (action: () => void, ms: number) => void = (action, ms) => void setTimeout(action, ms),
  ) {}

  get busy(): boolean {
    return this.current !== undefined;
  }

  want(wish: SeekWish<T>): void {
    this.next = wish;
    if (!this.current) void this.run();
    else this.giveUpSoon();
  }

  private giveUpSoon(): void {
    const { current } = this;
    if (!current?.passing || this.cancelled) return;
    const left = patience_ms - (this.clock() - current.since);
    if (left > 0) return this.later(() => current === this.current && this.next && this.giveUpSoon(), left);
    this.cancelled = true;
    this.cancel();
  }

  private async run(): Promise<void> {
    while (this.next) {
      this.current = { ...this.next, since: this.clock() };
      this.next = undefined;
      this.cancelled = false;
      await this.carryOut(this.current).catch(() => undefined);
    }
    this.current = undefined;
  }
}
