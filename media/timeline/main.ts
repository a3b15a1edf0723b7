/**
 * The page of the Timeline view: takes messages to the model, gestures to
 * wishes, and draws once per frame at most, when something has changed.
 *
 * The extension says where the present is; the playhead follows it, except
 * while it is dragged. A wish is only ever sent, never believed.
 */
import './timeline.css';
import type { FromPage, SeekTarget, ToPage } from '../../extension/timeline/timelineMessages.js';
import { drawScene, memoryTextAt, readPalette, type Palette } from './draw.js';
import { actionOf, type KeyAction } from './keys.js';
import { branchAt, hitAt, rowsOf, type Hit, type Row } from './layout.js';
import { layers, PictureModel, timeOf, type Item, type Layer } from './model.js';
import { buildPage, element } from './page.js';
import { dragTargets, listed, stepFrom, targetOf } from './steps.js';
import { Viewport } from './viewport.js';
import { cardOf, lineOf, playheadText, reachText, summaryOf, titleOf } from './words.js';
import { runTimeText } from '../../extension/timeline/words.js';

declare function acquireVsCodeApi(): {
  postMessage(message: FromPage): void;
  getState(): unknown;
  setState(state: unknown): void;
};

const vscode = acquireVsCodeApi();
const page = buildPage(document.body);
const model = new PictureModel();
const viewport = new Viewport();
const context = page.canvas.getContext('2d')!;

/** Room for the names of lanes and threads. */
const gutter_px = 118;
/** A hand that rests so long wants the exact place. */
const rest_ms = 120;
const mostListed = 400;
const listPause_ms = 80;
const listPatience_ms = 400;

interface Kept {
  hidden?: Layer[];
  list?: boolean;
}
const kept = (vscode.getState() ?? {}) as Kept;
const shown = new Set<Layer>(layers.filter((layer) => !(kept.hidden ?? []).includes(layer)));
let listWanted = kept.list ?? true;

let palette: Palette = readPalette(document.body);
colorLegend();
let rows: readonly Row[] = [];
let height = 0;
let dragMs: number | undefined;
let dragBranch = 0;
let hovered: Hit | undefined;
let scheduled = false;
let restTimer: number | undefined;
let listTimer: number | undefined;
let listWantedSince = 0;
let listPressed = false;
/** It has to change, and will when the pointer is let go. */
let listWaits = false;
let items: Item[] = [];
/** What the rows of the list say, to know whether they have to change. */
let listText = '';
/** Where the present was when the list followed it last. */
let listPlace = '';
let selected = -1;

// -- Drawing ------------------------------------------------------------------------------

function changed(): void {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    draw();
  });
}

function draw(): void {
  const extent = model.extent;
  const something = extent !== undefined && model.present !== undefined;
  page.main.hidden = page.bar.hidden = !something;
  page.empty.hidden = something;
  if (!something) return showEmpty();
  viewport.setWhole(extent);
  const width = page.picture.clientWidth;
  viewport.left = gutter_px;
  viewport.width = Math.max(50, width - gutter_px - 16);
  ({ rows, height } = rowsOf(model.lanes, model.present!.branch, page.picture.clientHeight));
  const shownHeight = Math.max(height, page.picture.clientHeight);
  const scale = devicePixelRatio;
  if (page.canvas.width !== Math.round(width * scale) || page.canvas.height !== Math.round(shownHeight * scale)) {
    page.canvas.width = Math.round(width * scale);
    page.canvas.height = Math.round(shownHeight * scale);
    page.canvas.style.width = `${width}px`;
    page.canvas.style.height = `${shownHeight}px`;
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  const playheadMs = dragMs ?? model.present?.timeMs;
  drawScene(
    context,
    { model, rows, viewport, shown, playheadMs, hovered: hovered?.item, height: shownHeight },
    palette,
  );
  tellPlayhead(playheadMs ?? 0);
}

function tellPlayhead(timeMs: number): void {
  const { fromMs, toMs } = model.extent!;
  const text = dragMs === undefined ? playheadText(model) : runTimeText(timeMs);
  page.picture.setAttribute('aria-valuemin', fromMs.toFixed(3));
  page.picture.setAttribute('aria-valuemax', toMs.toFixed(3));
  page.picture.setAttribute('aria-valuenow', timeMs.toFixed(3));
  page.picture.setAttribute('aria-valuetext', text);
  if (page.where.textContent !== text) page.where.textContent = text;
}

function showEmpty(): void {
  const text =
    model.sessionName === undefined
      ? 'Here you see a program’s run from left to right, and drag it back and forth. Debug a program with Chronofork to begin.'
      : 'The program is starting…';
  page.empty.replaceChildren(element('p', {}, text));
  if (model.sessionName === undefined) page.empty.append(page.buttons.start);
}

// -- The list -----------------------------------------------------------------------------

function listSoon(): void {
  page.side.hidden = !listWanted;
  page.buttons.list.setAttribute('aria-pressed', String(listWanted));
  if (!listWanted) return;
  // While one zooms it waits, but not for ever.
  const now = performance.now();
  if (listTimer === undefined) listWantedSince = now;
  clearTimeout(listTimer);
  listTimer = window.setTimeout(
    () => {
      listTimer = undefined;
      // A row that is replaced or moved while it is clicked is not clicked.
      if (listPressed) listWaits = true;
      else fillList();
    },
    Math.min(listPause_ms, Math.max(0, listWantedSince + listPatience_ms - now)),
  );
}

function fillList(): void {
  const { present } = model;
  if (!present) return;
  items = listed(model.laneOf(present.branch), shown, viewport.span, present.timeMs, mostListed);
  let here = -1;
  items.forEach((item, index) => {
    const event = 'mark' in item ? item.mark.event : item.checkpoint.moment.event;
    if (event <= present.event) here = index;
  });
  const text = items.map((item) => `${lineOf(item)} ${JSON.stringify(targetOf(item))}`).join('\n');
  const place = `${present.branch} ${present.event}`;
  // Who walks through the list is not moved while nothing has.
  const follow = text !== listText || place !== listPlace;
  if (text !== listText || items.length === 0) page.list.replaceChildren(...items.map(listRow));
  listText = text;
  listPlace = place;
  if (items.length === 0)
    page.list.append(
      element('li', { role: 'option', 'aria-disabled': 'true', 'aria-selected': 'false' }, 'Nothing in sight'),
    );
  if (follow) select(here, document.activeElement !== page.list || dragMs === undefined);
}

function listRow(item: Item, index: number): HTMLElement {
  const isOutput = 'mark' in item && item.mark.kind === 'output';
  const kind = isOutput && 'mark' in item && item.mark.kind === 'output' ? `output ${item.mark.stream}` : item.layer;
  const row = element(
    'li',
    { role: 'option', id: `mark-${index}`, 'aria-selected': 'false' },
    element('span', { class: 'time' }, runTimeText(timeOf(item))),
    ' ',
    element('span', { class: `text ${kind}` }, titleOf(item)),
  );
  row.title = cardOf(item, 1).join('\n');
  row.addEventListener('click', () => {
    select(index, false);
    seek(targetOf(item), false);
  });
  return row;
}

function select(index: number, reveal: boolean): void {
  page.list.querySelector('[aria-selected="true"]')?.setAttribute('aria-selected', 'false');
  selected = index;
  const row = page.list.querySelector(`#mark-${index}`);
  if (!row) return page.list.removeAttribute('aria-activedescendant');
  row.setAttribute('aria-selected', 'true');
  page.list.setAttribute('aria-activedescendant', row.id);
  if (reveal) row.scrollIntoView({ block: 'nearest' });
}

page.list.addEventListener('pointerdown', () => (listPressed = true));
for (const end of ['pointerup', 'pointercancel'])
  window.addEventListener(end, () => {
    listPressed = false;
    if (!listWaits) return;
    listWaits = false;
    // After the click, which follows at once.
    listSoon();
  });

page.list.addEventListener('keydown', (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -items.length, End: items.length }[
    event.key
  ];
  const item = items[selected];
  if (by !== undefined) select(Math.min(items.length - 1, Math.max(0, selected + by)), true);
  else if ((event.key === 'Enter' || event.key === ' ') && item) seek(targetOf(item), false);
  else return;
  event.preventDefault();
});

// -- Wishes -------------------------------------------------------------------------------

function seek(target: SeekTarget, passing: boolean): void {
  if (runs()) return say('The program is running: pause it to go back.');
  vscode.postMessage({ type: 'seek', target, passing });
}

/** A replay on the way to somewhere else runs too: the extension goes on from there. */
function runs(): boolean {
  return model.present?.running === true && model.present.live;
}

function say(text: string): void {
  page.said.textContent = text;
}

function act(action: KeyAction): void {
  const { present } = model;
  if (!present) return;
  switch (action.kind) {
    case 'step': {
      const lane = model.laneOf(present.branch);
      const target = lane && stepFrom(lane, present, action.to, action.direction, shown);
      if (target) seek(target, false);
      return;
    }
    case 'end':
      return seek({ to: action.to }, false);
    case 'zoom':
      viewport.zoom(action.factor, viewport.x(present.timeMs));
      break;
    case 'pan':
      viewport.pan(action.part);
      break;
    case 'fit':
      viewport.fit();
      break;
    case 'branch': {
      const index = model.lanes.findIndex(({ branch }) => branch === present.branch);
      const other = model.lanes[index + action.direction];
      if (other) seek({ event: other.part.extent.toEvent, branch: other.branch }, false);
      return;
    }
    case 'bookmark':
      return vscode.postMessage({ type: 'command', command: 'bookmark' });
  }
  listSoon();
  changed();
}

// -- Gestures -----------------------------------------------------------------------------

page.picture.addEventListener('keydown', (event) => {
  const action = actionOf(event);
  if (!action) return;
  event.preventDefault();
  act(action);
});

function point(event: MouseEvent): { x: number; y: number } {
  const box = page.canvas.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

let panFrom: number | undefined;

page.picture.addEventListener('pointerdown', (event) => {
  const { x, y } = point(event);
  if (event.button === 1) {
    panFrom = event.clientX;
    page.picture.setPointerCapture(event.pointerId);
    return event.preventDefault();
  }
  if (event.button !== 0 || x < gutter_px - 8 || !model.present) return;
  if (runs()) return say('The program is running: pause it to go back.');
  page.picture.setPointerCapture(event.pointerId);
  dragBranch = branchAt(y, rows, model.present.branch);
  dragTo(x);
});

page.picture.addEventListener('pointermove', (event) => {
  const { x, y } = point(event);
  if (panFrom !== undefined) {
    viewport.pan((panFrom - event.clientX) / viewport.width);
    panFrom = event.clientX;
    listSoon();
    return changed();
  }
  if (dragMs !== undefined) return dragTo(x);
  hover(x, y, event);
});

let lastNear: string | undefined;

function dragTo(x: number): void {
  dragMs = viewport.time(x);
  hideCard();
  const { near, exact } = dragTargets(model, dragBranch, dragMs);
  // Many places have one checkpoint before them: going there again shows nothing new.
  const name = JSON.stringify(near);
  if (near && name !== lastNear) seek(near, true);
  lastNear = name;
  clearTimeout(restTimer);
  restTimer = window.setTimeout(() => seek(exact, true), rest_ms);
  changed();
}

page.picture.addEventListener('pointerup', (event) => {
  panFrom = undefined;
  if (dragMs === undefined) return;
  clearTimeout(restTimer);
  const { x, y } = point(event);
  const hit = hitAt(x, y, rows, model.lanes, viewport, shown);
  const { toMs } = model.laneOf(dragBranch)?.part.extent ?? { toMs: Infinity };
  if (hit) seek(targetOf(hit.item), false);
  else if (dragMs >= toMs && dragBranch === model.present?.branch) seek({ to: 'end' }, false);
  else seek({ timeMs: dragMs, branch: dragBranch }, false);
  endDrag();
});

page.picture.addEventListener('pointercancel', endDrag);

function endDrag(): void {
  clearTimeout(restTimer);
  dragMs = lastNear = panFrom = undefined;
  changed();
}

page.picture.addEventListener('pointerleave', () => {
  hovered = undefined;
  hideCard();
  changed();
});

function hover(x: number, y: number, event: MouseEvent): void {
  const before = hovered?.item;
  hovered = hitAt(x, y, rows, model.lanes, viewport, shown);
  if (hovered?.item !== before) changed();
  page.picture.style.cursor = hovered ? 'pointer' : 'default';
  const row = rows.find(({ top, height: rowHeight }) => y >= top && y < top + rowHeight);
  const lane = row?.branch === undefined ? undefined : model.laneOf(row.branch);
  const memory = row?.kind === 'memory' && lane && x >= gutter_px ? memoryTextAt(lane, viewport.time(x)) : undefined;
  const lines = hovered ? cardOf(hovered.item, hovered.count) : memory;
  if (!lines) return hideCard();
  page.card.replaceChildren(...lines.map((line) => element('p', {}, line)));
  page.card.hidden = false;
  const { width, height: cardHeight } = page.card.getBoundingClientRect();
  page.card.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - width - 4))}px`;
  const below = event.clientY + 16;
  page.card.style.top = `${below + cardHeight > innerHeight ? Math.max(2, event.clientY - cardHeight - 10) : below}px`;
}

function hideCard(): void {
  page.card.hidden = true;
}

page.picture.addEventListener(
  'wheel',
  (event) => {
    // A pinch comes as a wheel with Ctrl; a plain wheel zooms, sideways or with Shift it pans.
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    const canScroll = page.picture.scrollHeight > page.picture.clientHeight;
    if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) viewport.pan(sideways / viewport.width);
    else if (canScroll && !event.ctrlKey && !event.metaKey) return;
    else viewport.zoom(Math.exp(event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), point(event).x);
    event.preventDefault();
    hideCard();
    listSoon();
    changed();
  },
  { passive: false },
);

for (const [layer, button] of page.legend) {
  button.setAttribute('aria-pressed', String(shown.has(layer)));
  button.addEventListener('click', () => {
    if (!shown.delete(layer)) shown.add(layer);
    button.setAttribute('aria-pressed', String(shown.has(layer)));
    keep();
    listSoon();
    changed();
  });
}

/** In the colours of the picture. */
function colorLegend(): void {
  for (const [layer, button] of page.legend)
    (button.firstElementChild as SVGElement).style.color = palette.layers[layer];
}

function themeChanged(): void {
  palette = readPalette(document.body);
  colorLegend();
  changed();
}

function keep(): void {
  vscode.setState({ hidden: layers.filter((layer) => !shown.has(layer)), list: listWanted } satisfies Kept);
}

page.buttons.zoomIn.addEventListener('click', () => act({ kind: 'zoom', factor: 0.5 }));
page.buttons.zoomOut.addEventListener('click', () => act({ kind: 'zoom', factor: 2 }));
page.buttons.fit.addEventListener('click', () => act({ kind: 'fit' }));
page.buttons.bookmark.addEventListener('click', () => act({ kind: 'bookmark' }));
page.buttons.live.addEventListener('click', () => seek({ to: 'end' }, false));
page.buttons.start.addEventListener('click', () => vscode.postMessage({ type: 'command', command: 'start' }));
page.buttons.list.addEventListener('click', () => {
  listWanted = !listWanted;
  keep();
  listSoon();
  changed();
});

// -- Messages -----------------------------------------------------------------------------

window.addEventListener('message', ({ data }: MessageEvent<ToPage>) => {
  const came = performance.now();
  switch (data.type) {
    case 'session':
      model.begin(data.name);
      viewport.fit();
      say('');
      break;
    case 'present':
      model.present = data.present;
      if (dragMs === undefined) viewport.reveal(data.present.timeMs);
      page.buttons.live.disabled = data.present.live || data.present.running;
      say(data.present.running ? 'Running…' : '');
      break;
    case 'timeline':
      model.setTimeline(data.timeline);
      page.reach.textContent = page.reach.title = reachText(data.timeline);
      break;
    case 'lanes':
      for (const part of data.lanes) model.addPart(part);
      page.summary.textContent = summaryOf(model);
      break;
    case 'say':
      say(data.text);
  }
  listSoon();
  changed();
  measured(data.type, came);
});

/** For whoever measures: when the picture of what came was on the screen. */
function measured(type: string, came: number): void {
  if (type !== 'lanes') return;
  performance.clearMeasures('chronofork/picture');
  requestAnimationFrame(() =>
    requestAnimationFrame(() => performance.measure('chronofork/picture', { start: came, end: performance.now() })),
  );
}

// When the view gets the keyboard back, VS Code gives it to the page as a whole.
let lastFocused: HTMLElement = page.picture;
document.addEventListener('focusin', ({ target }) => {
  if (target instanceof HTMLElement && target !== document.body) lastFocused = target;
});
window.addEventListener('focus', () => {
  if (document.activeElement === document.body) lastFocused.focus({ preventScroll: true });
});

new ResizeObserver(changed).observe(page.picture);
new MutationObserver(themeChanged).observe(document.body, {
  attributes: true,
  attributeFilter: ['class', 'data-vscode-theme-kind'],
});
new MutationObserver(themeChanged).observe(document.documentElement, { attributes: true, attributeFilter: ['style'] });

listSoon();
changed();
vscode.postMessage({ type: 'ready' });
