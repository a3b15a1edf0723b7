/** The elements of the page, made once. Thin: no decisions. */
import { layerNames } from './words.js';
import { layers, type Layer } from './model.js';

/** The shapes that draw.ts makes, for the legend. */
const shapes: Record<Layer, string> = {
  stop: 'M5 9 0 1h10z',
  bookmark: 'M1 0h1v10H1zM2 0l7 2.5L2 5z',
  signal: 'M5 0l4 5-4 5-4-5z',
  output: 'M2 1h2v9H2zM6 4h2v6H6z',
  thread: 'M1 2h2v3H1zM4 2h2v3H4zM7 2h2v3H7z',
  checkpoint: 'M1 5h2v5H1zM4 2h2v8H4zM7 0h2v10H7z',
};

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function shape(layer: Layer): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 10 10');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', shapes[layer]);
  svg.append(path);
  return svg;
}

export interface Page {
  readonly where: HTMLElement;
  readonly reach: HTMLElement;
  readonly legend: ReadonlyMap<Layer, HTMLButtonElement>;
  readonly buttons: Readonly<
    Record<'zoomIn' | 'zoomOut' | 'fit' | 'bookmark' | 'live' | 'list' | 'start', HTMLButtonElement>
  >;
  readonly bar: HTMLElement;
  readonly main: HTMLElement;
  readonly picture: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly side: HTMLElement;
  readonly list: HTMLElement;
  readonly card: HTMLElement;
  readonly empty: HTMLElement;
  readonly said: HTMLElement;
  readonly summary: HTMLElement;
}

export function buildPage(body: HTMLElement): Page {
  // One that says what it does by a word is called by that word.
  const button = (text: string, title: string) =>
    element('button', { type: 'button', title, ...(/\w/.test(text) ? {} : { 'aria-label': title }) }, text);
  const buttons = {
    bookmark: button('Bookmark', 'Bookmark this moment (B)'),
    live: button('Go live', 'Go to the end of the recording (End)'),
    zoomOut: button('−', 'Zoom out (−)'),
    zoomIn: button('+', 'Zoom in (+)'),
    fit: button('Fit', 'Show all of it (0)'),
    list: button('List', 'Show the list of marks'),
    start: element('button', { type: 'button', class: 'primary' }, 'Start Debugging'),
  };
  const legend = new Map(
    layers.map((layer) => {
      const made = element('button', { type: 'button', 'aria-pressed': 'true' }, shape(layer), layerNames[layer]);
      made.title = `Show or hide: ${layerNames[layer].toLowerCase()}`;
      return [layer, made] as const;
    }),
  );
  const where = element('span', { class: 'where' });
  const reach = element('span', { class: 'reach' });
  const bar = element(
    'div',
    { class: 'bar' },
    where,
    reach,
    element('span', { class: 'room' }),
    element('div', { class: 'legend', role: 'group', 'aria-label': 'What is shown' }, ...legend.values()),
    element('div', { role: 'group', 'aria-label': 'View' }, ...Object.values(buttons).slice(0, -1)),
  );
  const canvas = element('canvas', { 'aria-hidden': 'true' });
  const picture = element(
    'div',
    {
      class: 'picture',
      role: 'slider',
      tabindex: '0',
      'aria-label': 'Moment of the run',
      'aria-orientation': 'horizontal',
    },
    canvas,
  );
  const list = element('ul', { class: 'list', role: 'listbox', tabindex: '0', 'aria-label': 'Marks in sight' });
  const side = element('div', { class: 'side' }, element('h2', {}, 'In sight: click a line to go there'), list);
  const main = element('div', { class: 'main' }, picture, side);
  const empty = element('div', { class: 'empty' });
  const card = element('div', { class: 'card', role: 'tooltip', hidden: '' });
  const said = element('div', { class: 'said', role: 'status', 'aria-live': 'polite' });
  const summary = element('p', { class: 'hidden-text', id: 'summary' });
  picture.setAttribute('aria-describedby', 'summary');
  body.append(element('h1', { class: 'hidden-text' }, 'Timeline'), bar, main, empty, said, summary, card);
  return { where, reach, legend, buttons, bar, main, picture, canvas, side, list, card, empty, said, summary };
}
