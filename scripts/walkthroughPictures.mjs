/**
 * Draws the walkthrough's pictures, media/walkthrough/*.svg, in the colours of
 * the theme: an SVG of a walkthrough may use VS Code's variables.
 *
 * Easy to get wrong: `style` attributes are taken out by the page's policy, so
 * every colour is an attribute of its own.
 *
 *     node scripts/walkthroughPictures.mjs
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isMain, root, runMain } from './lib/run.mjs';

const folder = path.join(root, 'media/walkthrough');
const colour = {
  text: 'var(--vscode-foreground)',
  faint: 'var(--vscode-descriptionForeground)',
  panel: 'var(--vscode-editorWidget-background)',
  border: 'var(--vscode-editorWidget-border, var(--vscode-contrastBorder, #8886))',
  good: 'var(--vscode-testing-iconPassed, #2e9e58)',
  bad: 'var(--vscode-errorForeground, #d1242f)',
  accent: 'var(--vscode-textLink-foreground, #2f81f7)',
  line: 'var(--vscode-editor-stackFrameHighlightBackground, #ffcc0033)',
};
const mono = 'var(--monaco-monospace-font, monospace)';
const sans = 'var(--vscode-font-family, sans-serif)';

/** @param {number} x @param {number} y @param {string} text @param {{ fill?: string, size?: number, font?: string, anchor?: string, weight?: number }} [more] */
function words(x, y, text, { fill = colour.text, size = 15, font = sans, anchor = 'start', weight = 400 } = {}) {
  const safe = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${x}" y="${y}" xml:space="preserve" fill="${fill}" font-weight="${weight}" font-size="${size}" font-family="${font}" text-anchor="${anchor}">${safe}</text>`;
}

/** @param {number} x @param {number} y @param {number} width @param {number} height @param {string} [fill] @param {string} [stroke] */
function box(x, y, width, height, fill = colour.panel, stroke = colour.border) {
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="8" fill="${fill}" stroke="${stroke}"/>`;
}

/** @param {string} d @param {string} stroke @param {{ width?: number, dash?: string, arrow?: boolean }} [more] */
function path_(d, stroke, { width = 2.5, dash = '', arrow = false } = {}) {
  const marker = arrow ? ' marker-end="url(#arrow)"' : '';
  return `<path d="${d}" fill="none" stroke="${stroke}" stroke-width="${width}" stroke-linecap="round"${dash ? ` stroke-dasharray="${dash}"` : ''}${marker}/>`;
}

/** @param {number} x @param {number} y @param {number} r @param {string} fill */
const dot = (x, y, r, fill) => `<circle cx="${x}" cy="${y}" r="${r}" fill="${fill}"/>`;

/** @param {number} x @param {number} y */
const tick = (x, y) => path_(`M${x - 6} ${y} l4.5 5 l8 -10`, colour.good, { width: 3 });

/** @param {number} x @param {number} y @param {number} [size] */
const cross = (x, y, size = 7) =>
  path_(
    `M${x - size} ${y - size} L${x + size} ${y + size} M${x + size} ${y - size} L${x - size} ${y + size}`,
    colour.bad,
    { width: 3.5 },
  );

/** @param {number} y @param {number} from @param {number} to */
function axis(y, from, to) {
  const marks = [];
  for (let x = from; x <= to; x += 44)
    marks.push(`<line x1="${x}" y1="${y - 7}" x2="${x}" y2="${y + 7}" stroke="${colour.faint}" stroke-width="2"/>`);
  return path_(`M${from} ${y} H${to}`, colour.faint, { width: 3 }) + marks.join('');
}

/** @param {number} x @param {number} y @param {string[]} lines @param {number} [marked] */
function code(x, y, lines, marked = -1) {
  return lines
    .map((line, index) => {
      const at = y + index * 27;
      const band =
        index === marked ? `<rect x="${x - 14}" y="${at - 19}" width="412" height="27" fill="${colour.line}"/>` : '';
      return band + words(x, at, line, { font: mono, size: 14.5 });
    })
    .join('');
}

const statement = ['account = customer->account;', 'printf("%ld", account->number);'];

/** @type {Record<string, string>} */
const pictures = {
  check: [
    box(40, 40, 440, 320),
    words(70, 84, 'Check This Machine', { size: 19, weight: 600 }),
    ...[
      'gdb 13.1, with Python',
      'ptrace: a child can be traced',
      'fork: frozen copies of a program',
      'system calls can be recorded',
      'no performance counters needed',
    ].map((text, index) => tick(82, 130 + index * 44) + words(108, 135 + index * 44, text)),
  ].join(''),
  sample: [
    box(40, 40, 440, 210),
    words(70, 78, 'bank.c', { fill: colour.faint, size: 14 }),
    code(70, 122, ['static void print_statement(…) {', ...statement.map((line) => `  ${line}`), '}'], 2),
    cross(456, 170),
    box(40, 270, 440, 90, colour.panel, colour.bad),
    words(70, 306, 'SIGSEGV', { fill: colour.bad, weight: 600 }),
    words(70, 334, 'The program used memory that it may not use, 0x2cd.', { size: 14 }),
  ].join(''),
  stepBack: [
    words(260, 96, '1.25 s back', { anchor: 'middle', size: 24, weight: 600, fill: colour.accent }),
    axis(200, 40, 480),
    cross(480, 200, 9),
    path_('M476 176 C440 128 372 128 340 172', colour.accent, { arrow: true, width: 3 }),
    path_('M330 176 C298 132 240 132 212 172', colour.accent, { arrow: true, width: 3 }),
    `<line x1="208" y1="176" x2="208" y2="262" stroke="${colour.accent}" stroke-width="3"/>`,
    dot(208, 200, 9, colour.accent),
    box(64, 262, 392, 92),
    code(82, 300, ['customer->next++;', 'recent[customer->next] = cents;'], 1).replaceAll('width="412"', 'width="376"'),
  ].join(''),
  write: [
    box(40, 44, 440, 104),
    words(66, 78, 'the write', { fill: colour.faint, size: 13 }),
    code(66, 114, ['recent[customer->next] = cents;'], 0),
    box(40, 262, 440, 104, colour.panel, colour.bad),
    words(66, 296, 'the crash', { fill: colour.faint, size: 13 }),
    words(66, 332, 'customer->account = 0x2c5', { font: mono, size: 14.5, fill: colour.bad }),
    path_('M260 258 C260 226 260 196 260 158', colour.accent, { arrow: true, width: 3.5 }),
    words(280, 212, 'Go to Last Write', { fill: colour.accent, weight: 600 }),
  ].join(''),
  branch: [
    words(64, 126, 'First run', { fill: colour.faint }),
    axis(150, 64, 460),
    cross(474, 150, 9),
    path_('M216 150 C262 150 262 254 308 254 H440', colour.accent, { width: 3.5, arrow: true }),
    dot(216, 150, 9, colour.accent),
    words(308, 288, 'Branch 1: live, with your change', { fill: colour.accent, weight: 600, anchor: 'middle' }),
    words(216, 190, 'account = &accounts[9]', { font: mono, size: 13.5, anchor: 'end' }),
  ].join(''),
};

/** @param {string} body */
function svg(body) {
  const arrow = `<defs><marker id="arrow" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="5" markerHeight="5" orient="auto-start-reverse"><path d="M0 0 L10 5 L0 10 z" fill="${colour.accent}"/></marker></defs>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="520" height="400" viewBox="0 0 520 400">${arrow}${body}</svg>\n`;
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    mkdirSync(folder, { recursive: true });
    for (const [name, body] of Object.entries(pictures)) writeFileSync(path.join(folder, `${name}.svg`), svg(body));
    return 0;
  });
}
