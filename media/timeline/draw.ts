/**
 * Draws the picture on a canvas, in VS Code's own colours. Thin: what is where
 * comes from layout.ts, how much of it from cells.ts.
 *
 * Each layer has a shape of its own, so that nobody needs the colours.
 */
import { megabytesText, runTimeText } from '../../extension/timeline/words.js';
import { eachCell } from './cells.js';
import type { Row } from './layout.js';
import { layersOf } from './layout.js';
import type { Item, Lane, Layer, PictureModel } from './model.js';
import { timeOf } from './model.js';
import { axisText, axisTimes, type Viewport } from './viewport.js';

export interface Palette {
  readonly text: string;
  readonly dim: string;
  readonly line: string;
  readonly background: string;
  readonly playhead: string;
  readonly memory: string;
  readonly threads: readonly string[];
  readonly layers: Readonly<Record<Layer, string>>;
  readonly error: string;
  readonly highContrast: boolean;
  readonly font: string;
}

export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const color = (...names: string[]) =>
    names.map((name) => style.getPropertyValue(`--vscode-${name}`).trim()).find(Boolean) ?? style.color;
  const highContrast = document.body.classList.contains('vscode-high-contrast');
  // charts.orange is that of the minimap's matches: all but invisible in some themes.
  const orange = color('symbolIcon-classForeground', 'charts-orange');
  return {
    text: color('foreground'),
    dim: highContrast ? color('foreground') : color('descriptionForeground'),
    line: color('contrastBorder', 'editorIndentGuide-background1', 'panel-border'),
    background: color('panel-background', 'editor-background'),
    playhead: color('focusBorder', 'charts-blue'),
    memory: color('charts-purple'),
    threads: [color('charts-blue'), color('charts-green'), orange, color('charts-yellow')],
    layers: {
      stop: orange,
      bookmark: color('charts-yellow'),
      signal: color('charts-red'),
      output: color('charts-green'),
      thread: color('charts-blue'),
      checkpoint: color('charts-purple'),
    },
    error: color('charts-red'),
    highContrast,
    font: style.fontFamily,
  };
}

export interface Scene {
  readonly model: PictureModel;
  readonly rows: readonly Row[];
  readonly viewport: Viewport;
  readonly shown: ReadonlySet<Layer>;
  /** Where the playhead is drawn: while it is dragged, under the pointer. */
  readonly playheadMs: number | undefined;
  readonly hovered: Item | undefined;
  readonly height: number;
}

type Canvas = CanvasRenderingContext2D;

export function drawScene(canvas: Canvas, scene: Scene, palette: Palette): void {
  const { viewport, height, model, rows } = scene;
  canvas.clearRect(0, 0, viewport.left + viewport.width + 16, height);
  canvas.font = `11px ${palette.font}`;
  canvas.textBaseline = 'middle';
  for (const row of rows) {
    const lane = row.branch === undefined ? undefined : model.laneOf(row.branch);
    if (row.kind === 'axis') drawAxis(canvas, row, scene, palette);
    else if (!lane) continue;
    else if (row.kind === 'memory') drawMemory(canvas, row, lane, scene, palette);
    else if (row.kind === 'thread') drawThread(canvas, row, lane, scene, palette);
    else drawLaneRow(canvas, row, lane, scene, palette);
  }
  if (scene.playheadMs !== undefined) drawPlayhead(canvas, scene, palette);
}

function drawAxis(canvas: Canvas, row: Row, { viewport, height }: Scene, palette: Palette): void {
  const middle = row.top + row.height / 2;
  canvas.fillStyle = palette.dim;
  canvas.textAlign = 'center';
  canvas.strokeStyle = palette.line;
  canvas.lineWidth = 1;
  canvas.globalAlpha = palette.highContrast ? 0.5 : 0.6;
  canvas.beginPath();
  const times = axisTimes(viewport.span, viewport.width / 90);
  for (const time of times) {
    const x = Math.round(viewport.x(time)) + 0.5;
    canvas.moveTo(x, row.top + row.height);
    canvas.lineTo(x, height);
  }
  canvas.stroke();
  canvas.globalAlpha = 1;
  for (const time of times) {
    const x = Math.max(viewport.left + 14, viewport.x(time));
    canvas.fillText(axisText(time, viewport.span), x, middle);
  }
}

/** In the gutter on the left, cut where it does not fit. */
function label(canvas: Canvas, text: string, row: Row, viewport: Viewport, color: string): void {
  canvas.textAlign = 'left';
  canvas.fillStyle = color;
  const room = viewport.left - 20;
  let shown = text;
  while (shown.length > 1 && canvas.measureText(shown).width > room) shown = `${shown.slice(0, -2)}…`;
  canvas.fillText(shown, 10, row.top + row.height / 2 + 0.5);
}

function clipped(canvas: Canvas, row: Row, viewport: Viewport, draw: () => void): void {
  canvas.save();
  canvas.beginPath();
  canvas.rect(viewport.left - 6, row.top - 2, viewport.width + 12, row.height + 4);
  canvas.clip();
  draw();
  canvas.restore();
}

function drawLaneRow(canvas: Canvas, row: Row, lane: Lane, scene: Scene, palette: Palette): void {
  const { viewport, model, shown, hovered } = scene;
  const isPresent = lane.branch === model.present?.branch;
  if (row.kind === 'flags') label(canvas, lane.name, row, viewport, isPresent ? palette.text : palette.dim);
  clipped(canvas, row, viewport, () => {
    if (row.kind === 'checkpoints') drawLaneLine(canvas, row, lane, scene, palette);
    for (const layer of layersOf[row.kind] ?? []) {
      if (!shown.has(layer)) continue;
      canvas.fillStyle = canvas.strokeStyle = palette.layers[layer];
      if (layer === 'checkpoint') drawCheckpoints(canvas, row, lane, scene);
      else
        eachCell(lane.items[layer], viewport, layer === 'output' || layer === 'thread' ? 2 : 4, (x, count, item) =>
          drawMark(canvas, layer, x, row, count, item, palette),
        );
    }
    if (hovered?.branch === lane.branch && layersOf[row.kind]?.includes(hovered.layer)) {
      const x = viewport.x(timeOf(hovered));
      canvas.strokeStyle = palette.text;
      canvas.lineWidth = 1;
      canvas.strokeRect(Math.round(x) - 5.5, row.top + 0.5, 11, row.height - 1);
    }
  });
}

/** The line of the branch itself, from where it left its parent. */
function drawLaneLine(canvas: Canvas, row: Row, lane: Lane, { viewport, model }: Scene, palette: Palette): void {
  const y = row.top + row.height - 0.5;
  const { fromMs, toMs } = lane.part.extent;
  canvas.strokeStyle = lane.branch === model.present?.branch ? palette.text : palette.dim;
  canvas.globalAlpha = 0.8;
  canvas.lineWidth = 1;
  canvas.beginPath();
  canvas.moveTo(viewport.x(fromMs), y);
  canvas.lineTo(viewport.x(toMs), y);
  canvas.stroke();
  canvas.globalAlpha = 1;
}

/** As high as they are dear: each line more of height is about twice the memory. */
function drawCheckpoints(canvas: Canvas, row: Row, lane: Lane, { viewport }: Scene): void {
  const bottom = row.top + row.height;
  for (const item of lane.items.checkpoint) {
    if (!('checkpoint' in item)) continue;
    const x = Math.round(viewport.x(timeOf(item)));
    const price = Math.log2(1 + item.checkpoint.privateBytes / (64 * 1024));
    const height = Math.min(row.height, 4 + price);
    canvas.fillRect(x - 1, bottom - height, item.checkpoint.pinned ? 3 : 2, height);
  }
}

function drawMark(
  canvas: Canvas,
  layer: Layer,
  x: number,
  row: Row,
  count: number,
  item: Item,
  palette: Palette,
): void {
  const middle = row.top + row.height / 2;
  const bottom = row.top + row.height;
  // More of them are a little stronger.
  const size = count > 1 ? 5 : 4;
  canvas.beginPath();
  switch (layer) {
    case 'stop':
      canvas.moveTo(x, bottom - 1);
      canvas.lineTo(x - size, middle - size + 1);
      canvas.lineTo(x + size, middle - size + 1);
      return canvas.fill();
    case 'signal':
      canvas.moveTo(x, middle - size - 1);
      canvas.lineTo(x + size, middle);
      canvas.lineTo(x, middle + size + 1);
      canvas.lineTo(x - size, middle);
      return canvas.fill();
    case 'bookmark':
      canvas.fillRect(x - 0.5, row.top + 1, 1.5, row.height - 2);
      canvas.moveTo(x, row.top + 1);
      canvas.lineTo(x + 8, row.top + 4.5);
      canvas.lineTo(x, row.top + 8);
      return canvas.fill();
    case 'output': {
      const isError = 'mark' in item && item.mark.kind === 'output' && item.mark.stream === 'stderr';
      canvas.fillStyle = isError ? palette.error : palette.layers.output;
      const height = Math.min(row.height, 6 + Math.log2(count) * 2);
      return canvas.fillRect(x - 0.5, bottom - height, 1.5, height);
    }
    case 'thread':
      canvas.globalAlpha = 0.8;
      canvas.fillRect(x - 0.5, row.top, 1, 3);
      canvas.globalAlpha = 1;
      return;
    case 'checkpoint':
  }
}

function drawMemory(canvas: Canvas, row: Row, lane: Lane, { viewport }: Scene, palette: Palette): void {
  label(canvas, 'Memory written', row, viewport, palette.dim);
  const { memory } = lane.part;
  const perMs = (one: { fromMs: number; toMs: number; bytes: number }) =>
    one.bytes / Math.max(0.05, one.toMs - one.fromMs);
  const most = Math.max(1, ...memory.map(perMs));
  clipped(canvas, row, viewport, () => {
    const bottom = row.top + row.height;
    canvas.fillStyle = palette.memory;
    for (const one of memory) {
      const left = viewport.x(one.fromMs);
      const width = Math.max(1, viewport.x(one.toMs) - left - (viewport.x(one.toMs) - left > 4 ? 1 : 0));
      if (left > viewport.left + viewport.width || left + width < viewport.left) continue;
      // A root: what is little beside the most is still to be seen.
      const height = one.bytes === 0 ? 0 : Math.max(1, Math.sqrt(perMs(one) / most) * row.height);
      canvas.globalAlpha = one.approximate ? 0.45 : 0.8;
      canvas.fillRect(left, bottom - height, width, height);
    }
    canvas.globalAlpha = 1;
  });
}

/** What was written in the interval that holds a time, in words. */
export function memoryTextAt(lane: Lane, timeMs: number): string[] | undefined {
  const found = lane.part.memory.find(({ fromMs, toMs }) => timeMs >= fromMs && timeMs <= toMs);
  if (!found) return undefined;
  const about = found.approximate ? 'about ' : '';
  return [
    `${about}${megabytesText(found.bytes)} written`,
    `between ${runTimeText(found.fromMs)} and ${runTimeText(found.toMs)}${found.approximate ? ', as last measured' : ''}`,
  ];
}

function drawThread(canvas: Canvas, row: Row, lane: Lane, { viewport }: Scene, palette: Palette): void {
  const index = lane.part.threads.findIndex(({ threadId }) => threadId === row.threadId);
  const busyMs = lane.part.threads[index]?.busyMs ?? [];
  label(canvas, `Thread ${row.threadId}`, row, viewport, palette.dim);
  const { fromMs, toMs } = lane.part.extent;
  const bucketMs = (toMs - fromMs) / Math.max(1, busyMs.length);
  clipped(canvas, row, viewport, () => {
    canvas.fillStyle = palette.threads[index % palette.threads.length] ?? palette.text;
    busyMs.forEach((busy, bucket) => {
      if (busy <= 0) return;
      const left = viewport.x(fromMs + bucket * bucketMs);
      const right = viewport.x(fromMs + (bucket + 1) * bucketMs);
      canvas.globalAlpha = 0.25 + 0.65 * Math.min(1, busy / bucketMs);
      canvas.fillRect(left, row.top, Math.max(1, right - left + 0.3), row.height);
    });
    canvas.globalAlpha = 1;
  });
}

function drawPlayhead(
  canvas: Canvas,
  { viewport, playheadMs = 0, height, model, rows }: Scene,
  palette: Palette,
): void {
  const x = viewport.x(playheadMs);
  if (x < viewport.left - 1 || x > viewport.left + viewport.width + 1) return;
  canvas.strokeStyle = canvas.fillStyle = palette.playhead;
  canvas.lineWidth = 2;
  canvas.beginPath();
  canvas.moveTo(x, 14);
  canvas.lineTo(x, height);
  canvas.stroke();
  canvas.beginPath();
  canvas.moveTo(x, 20);
  canvas.lineTo(x - 6, 10);
  canvas.lineTo(x + 6, 10);
  canvas.fill();
  // Which lane it is on, where there are several.
  const flags = rows.find(({ kind, branch }) => kind === 'flags' && branch === model.present?.branch);
  if (flags && model.lanes.length > 1) {
    canvas.beginPath();
    canvas.arc(x, flags.top + 36, 4, 0, 2 * Math.PI);
    canvas.fill();
  }
}
