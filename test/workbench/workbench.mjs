/**
 * Drives one VS Code workbench in Chromium by what a person sees and presses.
 * Selectors follow the DOM of the pinned VS Code version.
 *
 * Easy to get wrong:
 * - F5 before the debuggers are known only opens the Run view: `debuggersReady`;
 * - the palette's list is computed once, when it is opened: `command` retries;
 * - a hover hint covers the gutter: breakpoints are set by coordinates;
 * - `.debug-toolbar` exists only with `debug.toolBarLocation: floating`.
 */
/* global DataTransfer */
import assert from 'node:assert/strict';
import { newPage, workbenchUrl } from './server.mjs';

const limitMs = 20_000;

export class Workbench {
  /**
   * @param {import('playwright-core').Page} page
   */
  constructor(page) {
    this.page = page;
  }

  /**
   * Opens a folder or a `.code-workspace` file, and waits until extension points are handled and the idle phase is reached.
   * @param {import('playwright-core').Browser} browser
   * @param {import('./server.mjs').Server} server
   * @param {string} opened
   */
  static async open(browser, server, opened) {
    const page = await newPage(browser);
    page.setDefaultTimeout(limitMs);
    await page.goto(workbenchUrl(server, opened));
    const marks = ['code/didLoadExtensions', 'code/LifecyclePhase/Eventually'];
    await page.waitForFunction((names) => names.every((name) => performance.getEntriesByName(name).length > 0), marks, {
      timeout: 90_000,
    });
    return new Workbench(page);
  }

  /** Opens a file of the folder's top, or the one below folders that are opened on the way. @param {string[]} names */
  async openFile(...names) {
    const { page } = this;
    for (const name of names.slice(0, -1)) {
      // The first folder of several may be open already.
      if ((await this.#explorerRow(name).getAttribute('aria-expanded')) === 'false')
        await this.#explorerRow(name).click();
    }
    const name = names.at(-1) ?? '';
    await this.#explorerRow(name).dblclick();
    await page.locator('.tab.active', { hasText: name }).waitFor();
    await page.waitForSelector('.monaco-editor .view-line');
  }

  /** @param {string} name */
  #explorerRow(name) {
    const label = this.page.getByText(name, { exact: true });
    return this.page.locator('.explorer-folders-view .monaco-list-row', { has: label });
  }

  async debuggersReady() {
    await this.#palette('Debug: Start Debugging', async () => this.page.keyboard.press('Escape'), 12);
  }

  /**
   * Runs a command from the palette, by its full title.
   * @param {string} title
   */
  async command(title) {
    await this.#palette(title, (row) => row.click(), 5);
  }

  /**
   * The titles that the palette offers for a text.
   * @param {string} text
   */
  async paletteTitles(text) {
    const { page } = this;
    await page.keyboard.press('F1');
    await page.locator('.quick-input-widget input').fill(`>${text}`);
    await page.waitForTimeout(600);
    // The list has elements for the rows in sight only.
    /** @type {Set<string>} */
    const titles = new Set();
    // The first page down only goes to the last of these.
    for (let known = 0, unchanged = 0; unchanged < 3; unchanged = titles.size > known ? 0 : unchanged + 1) {
      known = titles.size;
      const inSight = await page.$$eval('.quick-input-list .monaco-list-row', (rows) =>
        rows.map((row) => (row.getAttribute('aria-label') ?? '').replace(/, .*/, '')),
      );
      for (const title of inSight) titles.add(title);
      await page.keyboard.press('PageDown');
      await page.waitForTimeout(100);
    }
    await page.keyboard.press('Escape');
    return [...titles];
  }

  /**
   * @param {string} title
   * @param {(row: import('playwright-core').Locator) => Promise<void>} act
   * @param {number} tries
   */
  async #palette(title, act, tries) {
    const { page } = this;
    const input = page.locator('.quick-input-widget .quick-input-filter input');
    const row = page
      .locator(`.quick-input-list .monaco-list-row`)
      .and(page.locator(`[aria-label="${title}"], [aria-label^="${title},"]`))
      .first();
    for (let left = tries; ; left--) {
      try {
        await page.keyboard.press('F1');
        await input.waitFor({ timeout: 3000 });
        await input.fill(`>${title}`, { timeout: 2000 });
        await row.waitFor({ timeout: 2000 });
        await act(row);
        return;
      } catch (error) {
        await page.keyboard.press('Escape');
        if (left <= 1) throw error;
      }
    }
  }

  /** Puts the focus into the editor's text. */
  async focusEditor() {
    await this.page.locator('.monaco-editor .view-line').first().click();
  }

  /** Sets a breakpoint with the mouse. @param {number} line */
  async setBreakpoint(line) {
    const number = this.page.locator('.monaco-editor .margin-view-overlays .line-numbers', {
      hasText: new RegExp(`^${line}$`),
    });
    const box = await number.first().boundingBox();
    assert.ok(box, `line ${line} is not in sight`);
    await this.page.mouse.click(box.x - 12, box.y + box.height / 2);
    await this.#breakpointGlyphs().first().waitFor();
  }

  async removeAllBreakpoints() {
    await this.page.locator('.pane-header[aria-label^="Breakpoints"]').hover();
    await this.page.locator('.action-label[aria-label="Remove All Breakpoints"]').click();
    await this.#breakpointGlyphs().first().waitFor({ state: 'detached' });
  }

  #breakpointGlyphs() {
    return this.page.locator(
      '.monaco-editor .codicon-debug-breakpoint, .monaco-editor .codicon-debug-breakpoint-unverified',
    );
  }

  /** Every button of the debug toolbar. */
  async toolbar() {
    return this.page.$$eval('.debug-toolbar .action-label', (buttons) =>
      buttons.map((button) => ({
        name: (button.getAttribute('aria-label') ?? '').replace(/ \(.*\)$/, ''),
        enabled: !button.classList.contains('disabled'),
      })),
    );
  }

  /** Waits until the debug toolbar has a button of exactly this name, enabled. @param {string} name */
  async hasButton(name) {
    for (const deadline = Date.now() + limitMs; Date.now() < deadline; await this.page.waitForTimeout(100)) {
      if ((await this.toolbar()).some((button) => button.name === name && button.enabled)) return;
    }
    assert.fail(`${name} is not an enabled button of ${JSON.stringify(await this.toolbar())}`);
  }

  /** Presses a button of the debug toolbar with the mouse. @param {string} name */
  async press(name) {
    const button = this.page.locator(`.debug-toolbar .action-label[aria-label^="${name}"]:not(.disabled)`);
    await button.first().click();
  }

  /**
   * Drags and drops by the events that a mouse makes: the driver's own mouse
   * loses the kinds of data that VS Code announces without contents.
   * @param {import('playwright-core').Locator} what
   * @param {import('playwright-core').Locator} where
   */
  async drag(what, where) {
    const dataTransfer = await this.page.evaluateHandle(() => new DataTransfer());
    const box = await where.boundingBox();
    assert.ok(box, 'the target is in sight');
    const at = { clientX: box.x + 50, clientY: box.y + box.height / 2 };
    await what.dispatchEvent('dragstart', { dataTransfer });
    for (const type of ['dragenter', 'dragover', 'dragover', 'drop']) {
      await this.page.waitForTimeout(200);
      await where.dispatchEvent(type, { dataTransfer, ...at });
    }
    await what.dispatchEvent('dragend', { dataTransfer });
  }

  /** Waits until the topmost stack frame's line is this, as the Call Stack view shows it. @param {number} line */
  async stoppedAt(line) {
    for (const deadline = Date.now() + limitMs; Date.now() < deadline; await this.page.waitForTimeout(100)) {
      if (await this.isStoppedAt(line)) return;
    }
    const shown = this.page.locator('.debug-call-stack');
    const text = (await shown.isVisible()) ? await shown.innerText() : 'nothing';
    assert.fail(`not stopped at line ${line}; the call stack shows: ${text.replace(/\s+/g, ' ')}`);
  }

  /** @param {number} line */
  async isStoppedAt(line) {
    const lines = await this.page.locator('.debug-call-stack .stack-frame .line-number').allTextContents();
    return lines[0]?.split(':')[0] === String(line);
  }

  /**
   * Waits until the Variables view shows a value.
   * @param {string} name
   * @param {string | RegExp} value all of it
   */
  async variableIs(name, value) {
    const { page } = this;
    // VS Code opens the first scope by itself, but not always when the view has just come into sight.
    const folded = page.locator('.debug-variables .monaco-list-row[aria-expanded="false"]', { hasText: 'Locals' });
    for (const deadline = Date.now() + limitMs; Date.now() < deadline; await page.waitForTimeout(100)) {
      const rows = await page.locator('.debug-variables .monaco-list-row .expression').allTextContents();
      const values = rows.map((row) => row.replace(/\s+/g, '')).filter((row) => row.startsWith(`${name}=`));
      const shown = values[0]?.slice(name.length + 1);
      if (shown !== undefined && (typeof value === 'string' ? shown === value : value.test(shown))) return;
      if (await folded.isVisible()) await folded.click({ timeout: 1000 }).catch(() => undefined);
    }
    const rows = await page.$$eval('.debug-variables .monaco-list-row', (all) =>
      all.map((row) => `${row.getAttribute('aria-expanded') ?? '-'} ${row.textContent}`),
    );
    assert.fail(`${name} is not ${value}; the Variables view shows (expanded?): ${rows.join(' | ')}`);
  }

  /** The status bar item of Chronofork. @param {RegExp} text @param {number} [withinMs] */
  async statusIs(text, withinMs = limitMs) {
    const item = this.page.locator('.statusbar-item[id$="chronofork.present"]');
    await item
      .filter({ hasText: text })
      .waitFor({ timeout: withinMs })
      .catch(async () => {
        const shown = await item.allInnerTexts();
        assert.fail(`the status bar does not say ${text}, but: ${shown.join(' ')}`);
      });
  }

  /** Opens a view of the side bar if it is folded. @param {string} name */
  async showView(name) {
    const header = this.page.locator(`.pane-header[aria-label^="${name}"]`).first();
    await header.waitFor();
    if ((await header.getAttribute('aria-expanded')) === 'false') await header.click();
  }

  /** A folded view makes room for the others. @param {string} name */
  async foldView(name) {
    const header = this.page.locator(`.pane-header[aria-label^="${name}"]`).first();
    if ((await header.getAttribute('aria-expanded')) === 'true') await header.click();
  }

  /** The rows of a tree view. @param {string} view */
  rows(view) {
    return this.page
      .locator('.pane', { has: this.page.locator(`.pane-header[aria-label^="${view}"]`) })
      .locator('.monaco-list-row');
  }

  /** A quick pick's row. @param {string | RegExp} text */
  quickPickRow(text) {
    return this.page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first();
  }

  /** Types into the input box that is open, and accepts. @param {string} text */
  async answerInput(text) {
    const input = this.page.locator('.quick-input-widget:not([style*="display: none"]) input[type="text"]');
    await input.fill(text);
    await input.press('Enter');
  }

  /** A notification in the corner. @param {string | RegExp} text */
  async toast(text) {
    await this.page.locator('.notifications-toasts .notification-toast', { hasText: text }).first().waitFor();
  }

  /**
   * Presses a button of a notification.
   * @param {RegExp} text
   * @param {string} button
   */
  async pressInToast(text, button) {
    const toast = this.page.locator('.notifications-toasts .notification-toast', { hasText: text }).first();
    await toast.locator('.monaco-button', { hasText: button }).click();
  }

  /**
   * Chooses from the context menu that is open. VS Code takes no click on a menu that has just come up.
   * @param {string} title
   */
  async chooseFromMenu(title) {
    const entry = this.page.locator('.monaco-menu .action-item', { hasText: title }).first();
    await entry.waitFor();
    for (let tries = 0; tries < 10 && (await entry.isVisible()); tries++) {
      await entry.click({ timeout: 2000 }).catch(() => undefined);
      await entry.waitFor({ state: 'hidden', timeout: 1000 }).catch(() => undefined);
    }
    await entry.waitFor({ state: 'hidden' });
  }

  /**
   * Chooses from the context menu of a row, as often as it takes: a stop that
   * still takes the focus to the editor closes the menu.
   * @param {import('playwright-core').Locator} row
   * @param {string} title
   */
  async chooseFromMenuOf(row, title) {
    const entry = this.page.locator('.monaco-menu .action-item', { hasText: title }).first();
    for (let tries = 0; tries < 5 && !(await entry.isVisible()); tries++) {
      await row.click({ button: 'right' });
      await entry.waitFor({ timeout: 4000 }).catch(() => undefined);
    }
    await this.chooseFromMenu(title);
  }

  /** Waits until the stop has taken the focus to the editor, which it does after all else. */
  async editorFocused() {
    const isInEditor = () => Boolean(document.activeElement?.closest('.monaco-editor'));
    await this.page.waitForFunction(isInEditor, undefined, { timeout: 5000 }).catch(() => undefined);
  }

  /** A modal dialog. @param {string | RegExp} text */
  dialog(text) {
    return this.page.locator('.monaco-dialog-box', { hasText: text });
  }

  async stopDebugging() {
    await this.page.keyboard.press('Shift+F5');
    await this.page.locator('.debug-toolbar').waitFor({ state: 'hidden' });
  }
}
