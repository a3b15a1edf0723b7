/**
 * The person goes first: what companions ask for (companion.ts) waits while a
 * request of the client that owns the session is under way, and is cut short
 * when one comes.
 *
 *     client     ──────■■──────────────■■■■■■──
 *     companion  ──■■■■x  ■■■■■■ ■■■■■■x      ■■■   x: cancelled, and back where it was
 *
 * Companions' requests are carried out one after the other, so that gdb is
 * never asked about one moment on behalf of two.
 */
export class RightOfWay {
  private clientRequests = 0;
  private queue: Promise<void> = Promise.resolve();
  private under: Promise<void> | undefined;
  private whenFree: (() => void)[] = [];

  /** @param cutShort  ends the way through time that a companion has begun, soon */
  constructor(private readonly cutShort: () => void) {}

  /** A request of the session's own client: begins at once, or as soon as a companion's has made way. */
  async first<T>(action: () => Promise<T>): Promise<T> {
    this.clientRequests++;
    try {
      while (this.under) {
        this.cutShort();
        await this.under;
      }
      return await action();
    } finally {
      this.clientRequests--;
      if (this.clientRequests === 0) for (const free of this.whenFree.splice(0)) free();
    }
  }

  /** A companion's request: in its turn, and while no request of the client is under way. */
  aside<T>(action: () => Promise<T>): Promise<T> {
    const done = this.queue.then(async () => {
      while (this.clientRequests > 0) await new Promise<void>((resolve) => this.whenFree.push(resolve));
      const running = action();
      this.under = running.then(
        () => undefined,
        () => undefined,
      );
      try {
        return await running;
      } finally {
        this.under = undefined;
      }
    });
    this.queue = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }
}
