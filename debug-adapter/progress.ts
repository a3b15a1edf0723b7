/**
 * DAP progress for one long operation: nothing is sent when it is over within
 * half a second, and never more than ten updates a second.
 */
import type { Client } from './client.js';

/** Under this a person sees no delay worth a message. */
const silentFor_ms = 500;
const updateEvery_ms = 100;

let nextId = 1;

export class Progress {
  readonly id = `chronofork-${nextId++}`;
  private readonly timer: NodeJS.Timeout | undefined;
  private started = false;
  private updated_ms = 0;
  private last: { fraction: number; text: string } | undefined;

  constructor(
    private readonly client: Client,
    private readonly title: string,
    private readonly requestId: number,
  ) {
    if (client.capabilities.supportsProgressReporting) this.timer = setTimeout(() => this.start(), silentFor_ms);
  }

  update(fraction: number, text: string): void {
    this.last = { fraction, text };
    if (!this.started || Date.now() - this.updated_ms < updateEvery_ms) return;
    this.updated_ms = Date.now();
    this.client.send('progressUpdate', { progressId: this.id, ...this.shown(this.last) });
  }

  end(): void {
    clearTimeout(this.timer);
    if (this.started) this.client.send('progressEnd', { progressId: this.id });
    this.started = false;
  }

  private start(): void {
    this.started = true;
    this.client.send('progressStart', {
      progressId: this.id,
      title: this.title,
      cancellable: true,
      requestId: this.requestId,
      ...this.shown(this.last ?? { fraction: 0, text: '' }),
    });
  }

  /** Clients show the title and the message, one after the other: what the title says already is not said twice. */
  private shown({ fraction, text }: { fraction: number; text: string }): { message?: string; percentage: number } {
    return {
      ...(text === '' || this.title.startsWith(text) ? {} : { message: text }),
      percentage: percentage(fraction),
    };
  }
}

function percentage(fraction: number): number {
  return Math.max(0, Math.min(100, Math.round(fraction * 100)));
}
