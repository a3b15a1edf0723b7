/**
 * Tells the client that the timeline changed: at most every 200 ms while the
 * debuggee runs, and at once at a stop.
 */
import type { Client } from '../client.js';
import type { Core } from '../core/core.js';
import type { TimeTravelEvents } from '../protocol/timeTravel.js';

/** A status line that changes faster cannot be read. */
const atMostEvery_ms = 200;

export class TimelineReporter {
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private held = false;

  constructor(
    private readonly core: Core,
    private readonly client: Client,
    private readonly running: () => boolean,
  ) {
    core.on('timelineChanged', () => this.soon());
  }

  now(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.stopped || this.held) return;
    const { live, edited, behindMs, moment, branch } = this.core.present();
    const checkpointCount = this.core.timeline().checkpoints.length;
    const body: TimeTravelEvents['chronofork/timelineChanged'] = {
      live,
      edited,
      behindMs,
      present: moment,
      branch,
      checkpointCount,
      running: this.running(),
    };
    this.client.send('chronofork/timelineChanged', body);
  }

  /** While a query goes from moment to moment the present is, to the client, where it was. */
  hold(held: boolean): void {
    this.held = held;
    if (!held) this.soon();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Within the time in which nobody misses it. */
  soon(): void {
    this.timer ??= setTimeout(() => this.now(), atMostEvery_ms);
  }
}
