/**
 * What a part of the workbench looks like, compared with a picture of how it
 * should: goldens/THEME-NAME.png. `--update-goldens` makes the pictures anew;
 * look at each of them before it is committed.
 *
 * Letters are drawn differently where there are other fonts: the pictures say
 * nothing there, and their journey is skipped (`requireSameFonts`). What differs
 * from run to run (times, sizes) is covered by boxes.
 */
/* global OffscreenCanvas */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pixelmatch from 'pixelmatch';
import { PNG } from 'pngjs';
import { root } from '../../scripts/lib/run.mjs';
import { Skipped, resultsFolder } from './journey.mjs';

const goldens = path.join(root, 'test/workbench/goldens');
const fontsFile = path.join(goldens, 'fonts.txt');
const updating = process.argv.includes('--update-goldens');

/** Colours nearer than this are one: smoothing at the edges of letters. */
const threshold = 0.15;
/** A caret, a scroll bar that fades, a letter. A colour or a place that is wrong is far more. */
const mostDiffering = 0.01;

/** @type {Record<string, string>} by the class that VS Code's workbench has with it */
const themes = { 'Light Modern': 'vs', 'Dark Modern': 'vs-dark', 'Dark High Contrast': 'hc-black' };

/**
 * Pictures of the same parts in every theme.
 * @param {import('./workbench.mjs').Workbench} workbench
 * @param {(look: (name: string, part: import('playwright-core').Locator, covered?: import('playwright-core').Locator[]) => Promise<void>) => Promise<void>} show
 */
export async function inEveryTheme(workbench, show) {
  const { page } = workbench;
  /** @type {string[]} */
  const problems = [];
  for (const [theme, className] of Object.entries(themes)) {
    await workbench.command('Preferences: Color Theme');
    await workbench.answerInput(theme);
    await page.locator(`.monaco-workbench.${className}`).waitFor();
    await show(async (name, part, covered = []) => {
      await page.waitForTimeout(500);
      const taken = await part.screenshot({ mask: covered, animations: 'disabled', maskColor: '#808080' });
      const problem = compare(`${className}-${name}`, taken);
      if (problem !== undefined) problems.push(problem);
    });
  }
  assert.deepEqual(problems, []);
}

/**
 * @param {string} name
 * @param {Buffer} taken
 * @returns {string | undefined} what differs
 */
function compare(name, taken) {
  const golden = path.join(goldens, `${name}.png`);
  if (updating) {
    mkdirSync(goldens, { recursive: true });
    writeFileSync(golden, taken);
    return undefined;
  }
  writeFileSync(path.join(resultsFolder, `looks-${name}.png`), taken);
  if (!existsSync(golden)) return `${name}: there is no golden`;
  const [is, should] = [PNG.sync.read(taken), PNG.sync.read(readFileSync(golden))];
  const { width, height } = should;
  if (is.width !== width || is.height !== height)
    return `${name}: ${is.width} × ${is.height}, not ${width} × ${height}`;
  const difference = new PNG({ width, height });
  const differing = pixelmatch(is.data, should.data, difference.data, width, height, { threshold });
  if (differing <= mostDiffering * width * height) return undefined;
  writeFileSync(path.join(resultsFolder, `looks-${name}-difference.png`), PNG.sync.write(difference));
  return `${name}: ${((100 * differing) / (width * height)).toFixed(1)} % differ, see ${resultsFolder}`;
}

/**
 * Skips the journey where letters have other widths than where the goldens were made.
 * @param {import('playwright-core').Page} page
 */
export async function requireSameFonts(page) {
  const widths = await page.evaluate(() => {
    const context = new OffscreenCanvas(10, 10).getContext('2d');
    const { fontFamily } = window.getComputedStyle(
      /** @type {Element} */ (document.querySelector('.monaco-workbench')),
    );
    return [fontFamily, 'monospace'].map((family) => {
      if (!context) return 0;
      context.font = `13px ${family}`;
      return context.measureText('The quick brown fox, 0123456789 (i·W→×)').width;
    });
  });
  const text = JSON.stringify(widths);
  if (updating) {
    mkdirSync(goldens, { recursive: true });
    writeFileSync(fontsFile, `${text}\n`);
  }
  const known = existsSync(fontsFile) ? readFileSync(fontsFile, 'utf8').trim() : '';
  if (known !== text) throw new Skipped(`the fonts differ from those of the goldens (${text}, not ${known})`);
}
