/**
 * Which stretch of run time is in sight, and where on the screen a time is.
 * Pure.
 */

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Nothing is closer together than a nanosecond of the recording; a thousand of them fill the picture. */
const shortest_ms = 0.001;

export class Viewport {
  private whole: Span = { fromMs: 0, toMs: 1 };
  private seen: Span = { fromMs: 0, toMs: 1 };
  /** All is in sight, also when there is more. */
  private fits = true;
  left = 0;
  width = 100;

  get span(): Span {
    return this.seen;
  }

  get zoomed(): boolean {
    return !this.fits;
  }

  /** All that there is; while the whole is in sight it stays so. */
  setWhole(whole: Span): void {
    this.whole = whole;
    this.seen = this.fits ? whole : this.within(this.seen);
  }

  fit(): void {
    this.fits = true;
    this.seen = this.whole;
  }

  x(timeMs: number): number {
    return this.left + ((timeMs - this.seen.fromMs) / (this.seen.toMs - this.seen.fromMs)) * this.width;
  }

  time(x: number): number {
    const time = this.seen.fromMs + ((x - this.left) / this.width) * (this.seen.toMs - this.seen.fromMs);
    return Math.min(this.whole.toMs, Math.max(this.whole.fromMs, time));
  }

  /** `factor` below 1 shows less; the time at `x` stays where it is. */
  zoom(factor: number, x = this.left + this.width / 2): void {
    const at = this.time(x);
    const length = Math.max(shortest_ms, (this.seen.toMs - this.seen.fromMs) * factor);
    if (length >= this.whole.toMs - this.whole.fromMs) return this.fit();
    const part = (x - this.left) / this.width;
    this.fits = false;
    this.seen = this.within({ fromMs: at - length * part, toMs: at + length * (1 - part) });
  }

  /** By a part of what is in sight; above 0: to later. */
  pan(part: number): void {
    if (this.fits) return;
    const by = (this.seen.toMs - this.seen.fromMs) * part;
    this.seen = this.within({ fromMs: this.seen.fromMs + by, toMs: this.seen.toMs + by });
  }

  /** Moves just so far that the time is in sight, with some room. */
  reveal(timeMs: number): void {
    const room = (this.seen.toMs - this.seen.fromMs) * 0.05;
    if (timeMs < this.seen.fromMs) this.move(timeMs - room - this.seen.fromMs);
    else if (timeMs > this.seen.toMs) this.move(timeMs + room - this.seen.toMs);
  }

  private move(byMs: number): void {
    if (!this.fits) this.seen = this.within({ fromMs: this.seen.fromMs + byMs, toMs: this.seen.toMs + byMs });
  }

  private within({ fromMs, toMs }: Span): Span {
    const length = Math.min(toMs - fromMs, this.whole.toMs - this.whole.fromMs);
    const from = Math.min(Math.max(fromMs, this.whole.fromMs), this.whole.toMs - length);
    return { fromMs: from, toMs: from + length };
  }
}

/** Times for the axis: round ones, so many that their labels have room. */
export function axisTimes({ fromMs, toMs }: Span, most: number): number[] {
  const least = (toMs - fromMs) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(least));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10);
  const times: number[] = [];
  for (let number = Math.ceil(fromMs / step); number * step <= toMs; number++) times.push(number * step);
  return times;
}

/** A time on the axis, with as many digits as its neighbours need: `250 ms`, `1.25 s`, `12 µs`. */
export function axisText(timeMs: number, { fromMs, toMs }: Span): string {
  const step = (toMs - fromMs) / 10;
  const [unit, perMs] = toMs >= 1000 ? ['s', 1000] : toMs >= 1 ? ['ms', 1] : ['µs', 0.001];
  const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step / perMs))));
  return `${(timeMs / perMs).toFixed(digits)} ${unit}`;
}
