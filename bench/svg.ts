/**
 * Two kinds of plots as SVG text: lines over an axis, and bars with their aims.
 * No library: what is needed are scales, ticks and a legend, and the files are
 * to look the same wherever they are made.
 */

export interface Point {
  x: number;
  y: number;
}

export interface Axis {
  label: string;
  logarithmic?: boolean;
  /** The axis reaches at least from here, to here. */
  from?: number;
  to?: number;
}

export interface LinePlot {
  title: string;
  x: Axis;
  y: Axis;
  series: Record<string, readonly Point[]>;
}

export interface Bar {
  label: string;
  value: number;
  min?: number;
  max?: number;
  /** Drawn as a mark across the bar. */
  aim?: number;
}

export interface BarPlot {
  title: string;
  axis: Axis;
  bars: readonly Bar[];
}

// Told apart also by people who see few colours (Okabe and Ito).
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
const width = 720;
const lineHeight = 16;
const ink = '#333';

const escaped = (text: string) => text.replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c] ?? c);
const at = (value: number) => value.toFixed(1);

function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end' = 'start', more = ''): string {
  return `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}" ${more}>${escaped(content)}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string, stroke = 1): string {
  return `<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" stroke="${colour}" stroke-width="${stroke}"/>`;
}

interface Scale {
  place: (value: number) => number;
  ticks: number[];
}

/** A round step that makes about five of them. */
function roundStep(range: number): number {
  const rough = range / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
}

/** Maps values to [start, end]; the ticks are round numbers. */
export function scaleOf(values: readonly number[], axis: Axis, start: number, end: number): Scale {
  const low = Math.min(...values, axis.from ?? Infinity);
  const high = Math.max(...values, axis.to ?? -Infinity);
  if (axis.logarithmic) {
    const least = Math.log10(Math.max(low, 1e-6));
    const most = Math.max(Math.log10(high), least + 0.3);
    const ticks: number[] = [];
    const factors = most - least > 2.5 ? [1] : [1, 2, 5];
    for (let power = Math.floor(least) - 1; power <= Math.ceil(most); power++)
      for (const factor of factors) {
        const tick = factor * 10 ** power;
        if (Math.log10(tick) >= least - 1e-9 && Math.log10(tick) <= most + 1e-9) ticks.push(tick);
      }
    return { ticks, place: (value) => start + ((Math.log10(value) - least) / (most - least)) * (end - start) };
  }
  const step = roundStep(Math.max(high - low, 1e-9));
  const first = Math.floor(low / step) * step;
  const last = Math.ceil(high / step) * step;
  const ticks = Array.from({ length: Math.round((last - first) / step) + 1 }, (_, i) => first + i * step);
  return { ticks, place: (value) => start + ((value - first) / (last - first || 1)) * (end - start) };
}

const tickText = (value: number) => String(Number(value.toPrecision(3)));

function document(height: number, title: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="${ink}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    text(width / 2, 22, title, 'middle', 'font-size="15"'),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

export function linePlot({ title, x, y, series }: LinePlot): string {
  const [left, right, top, height] = [64, width - 24, 44, 380];
  const names = Object.keys(series);
  const bottom = height - 52 - lineHeight * Math.ceil(names.length / 3);
  const points = Object.values(series).flat();
  const xScale = scaleOf(
    points.map((point) => point.x),
    x,
    left,
    right,
  );
  const yScale = scaleOf(
    points.map((point) => point.y),
    y,
    bottom,
    top,
  );
  const parts: string[] = [];
  for (const tick of xScale.ticks) {
    parts.push(line(xScale.place(tick), top, xScale.place(tick), bottom, '#e4e4e4'));
    parts.push(text(xScale.place(tick), bottom + 16, tickText(tick), 'middle'));
  }
  for (const tick of yScale.ticks) {
    parts.push(line(left, yScale.place(tick), right, yScale.place(tick), '#e4e4e4'));
    parts.push(text(left - 6, yScale.place(tick) + 4, tickText(tick), 'end'));
  }
  parts.push(line(left, bottom, right, bottom, ink), line(left, top, left, bottom, ink));
  parts.push(text((left + right) / 2, bottom + 34, x.label, 'middle'));
  const turned = `transform="rotate(-90 16 ${at((top + bottom) / 2)})"`;
  parts.push(text(16, (top + bottom) / 2, y.label, 'middle', turned));
  names.forEach((name, index) => {
    const colour = colours[index % colours.length] ?? ink;
    const places = (series[name] ?? []).map((point) => [xScale.place(point.x), yScale.place(point.y)] as const);
    const path = places.map(([px, py]) => `${at(px)},${at(py)}`).join(' ');
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const [px, py] of places) parts.push(`<circle cx="${at(px)}" cy="${at(py)}" r="2.5" fill="${colour}"/>`);
    const [legendX, legendY] = [left + (index % 3) * 220, bottom + 54 + lineHeight * Math.floor(index / 3)];
    parts.push(line(legendX, legendY - 4, legendX + 20, legendY - 4, colour, 3), text(legendX + 26, legendY, name));
  });
  return document(height, title, parts);
}

export function barPlot({ title, axis, bars }: BarPlot): string {
  const [left, right, top, rowHeight] = [170, width - 70, 40, 30];
  const bottom = top + bars.length * rowHeight;
  const values = bars.flatMap((bar) => [bar.value, bar.min ?? bar.value, bar.max ?? bar.value, bar.aim ?? bar.value]);
  const scale = scaleOf(values, axis, left, right);
  const origin = scale.place(axis.from ?? Math.min(...values));
  const parts: string[] = [];
  for (const tick of scale.ticks) {
    parts.push(line(scale.place(tick), top, scale.place(tick), bottom, '#e4e4e4'));
    parts.push(text(scale.place(tick), bottom + 16, tickText(tick), 'middle'));
  }
  bars.forEach((bar, index) => {
    const y = top + index * rowHeight;
    const end = scale.place(bar.value);
    const missed = bar.aim !== undefined && bar.value > bar.aim;
    const from = Math.min(origin, end);
    const colour = missed ? colours[1] : colours[0];
    const length = Math.max(1, Math.abs(end - origin));
    parts.push(text(left - 8, y + 19, bar.label, 'end'));
    parts.push(`<rect x="${at(from)}" y="${y + 6}" width="${at(length)}" height="16" fill="${colour}"/>`);
    if (bar.min !== undefined && bar.max !== undefined)
      parts.push(line(scale.place(bar.min), y + 14, scale.place(bar.max), y + 14, ink, 1.5));
    if (bar.aim !== undefined) parts.push(line(scale.place(bar.aim), y + 2, scale.place(bar.aim), y + 26, ink, 2.5));
    const shownAt = Math.max(end, scale.place(bar.max ?? bar.value), scale.place(bar.aim ?? bar.value));
    parts.push(text(shownAt + 6, y + 19, tickText(bar.value)));
  });
  parts.push(line(left, bottom, right, bottom, ink));
  parts.push(text((left + right) / 2, bottom + 34, axis.label, 'middle'));
  return document(bottom + 48, title, parts);
}
