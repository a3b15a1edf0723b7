/** History in the editor: lenses, counts, values, hovers, lists, crashes. */
import assert from 'node:assert/strict';

/**
 * Starts the program with a breakpoint set by the keyboard: its line is not in sight at first.
 * @param {import('../journey.mjs').Journey} journey
 */
async function startAtReport({ workbench, workspace }) {
  const { page } = workbench;
  const line = workspace.line('orders', 'report');
  await workbench.openFile('orders.c');
  await workbench.debuggersReady();
  await goToLine(workbench, line);
  await page.keyboard.press('F9');
  await page
    .locator('.monaco-editor .codicon-debug-breakpoint-unverified, .codicon-debug-breakpoint')
    .first()
    .waitFor();
  await page.keyboard.press('F5');
  await workbench.quickPickRow('orders').click();
  await workbench.stoppedAt(line);
}

/**
 * @param {import('../workbench.mjs').Workbench} workbench
 * @param {number} line
 */
async function goToLine(workbench, line) {
  await workbench.page.keyboard.press('Control+g');
  await workbench.answerInput(`:${line}`);
}

/**
 * The lens of a title. The page's order of lenses is that of their making, not
 * of the lines: a title that several functions have is looked for beside
 * another one of the same line.
 * @param {import('../workbench.mjs').Workbench} workbench
 * @param {string | RegExp} title
 * @param {string} [beside]
 */
function lens({ page }, title, beside) {
  const line = page.locator('.monaco-editor .codelens-decoration', beside === undefined ? {} : { hasText: beside });
  return line.locator('a, span', { hasText: title });
}

/**
 * Clicks a lens when VS Code has stopped drawing it anew, which it does for a
 * while after each scrolling: a click on one that is replaced between press
 * and release is lost.
 * @param {import('../workbench.mjs').Workbench} workbench
 * @param {string | RegExp} title
 * @param {string} [beside]
 */
async function clickLens(workbench, title, beside) {
  const target = lens(workbench, title, beside);
  for (let drawn = 0, same = false; !same;) {
    const before = drawn;
    drawn = await target.evaluate((node) => Number((node.dataset.drawn ??= String(performance.now()))));
    same = drawn === before;
    if (!same) await workbench.page.waitForTimeout(600);
  }
  await target.click();
}

/**
 * What an editor's line shows, with what is drawn behind it.
 * @param {import('../workbench.mjs').Workbench} workbench
 * @param {string} code what the line is found by
 */
async function lineText({ page }, code) {
  const spaced = code.replaceAll(' ', '\u00a0');
  const texts = await page.$$eval(
    '.monaco-editor .view-line',
    (lines, wanted) =>
      lines
        .filter((line) => line.textContent?.includes(wanted))
        .map((line) =>
          [...line.querySelectorAll('span')]
            .filter((span) => span.children.length === 0)
            .map(
              (span) =>
                span.textContent + window.getComputedStyle(span, '::after').content.replace(/^none$|^normal$/, ''),
            )
            .join(''),
        ),
    spaced,
  );
  return (texts[0] ?? '').replaceAll('\u00a0', ' ');
}

/**
 * @param {import('../workbench.mjs').Workbench} workbench
 * @param {string} code
 * @param {RegExp} shown
 */
async function lineShows(workbench, code, shown) {
  let text = '';
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await workbench.page.waitForTimeout(100)) {
    text = await lineText(workbench, code);
    if (shown.test(text)) return;
  }
  assert.fail(`the line of ${code} does not show ${shown}, but: ${text}`);
}

/** @type {import('../journey.mjs').JourneyDefinition[]} */
export const journeys = [
  {
    name: 'history in the editor: lenses lead to calls, lines say how often they were reached, values follow',
    programs: ['orders'],
    adapter: 'real',
    async walk(journey) {
      const { workbench, workspace } = journey;
      await startAtReport(journey);
      await goToLine(workbench, workspace.line('orders', 'hot'));
      await lens(workbench, 'called 12 times').waitFor();
      await lens(workbench, 'never called').first().waitFor();
      await lineShows(workbench, 'sum += 3', /3\.1k×/);
      await lineShows(workbench, 'return refund', /"0×"/);
      await goToLine(workbench, workspace.line('orders', 'report'));
      await lineShows(workbench, 'revenue %d', /revenue = \d+/);
      await goToLine(workbench, workspace.line('orders', 'hot'));
      await journey.picture('history-counts');
      const ofPrice = 'called 12 times';
      await clickLens(workbench, /^last$/, ofPrice);
      await workbench.variableIs('item', '12');
      await lineShows(workbench, 'int price(', /item = 12, pieces = 480/);
      await clickLens(workbench, '← previous', ofPrice);
      await workbench.variableIs('item', '11');
      await lineShows(workbench, 'int price(', /item = 11, pieces = 440/);
      await clickLens(workbench, 'next →', ofPrice);
      await workbench.variableIs('item', '12');
      await journey.picture('history-values');
      await clickLens(workbench, ofPrice);
      const row = workbench.page.locator('.monaco-list-row', { hasText: 'price(item=5, pieces=200)' });
      await row.waitFor();
      await journey.picture('history-calls');
      await row.click();
      await workbench.variableIs('item', '5');
      await goToLine(workbench, workspace.line('orders', 'hot'));
      await workbench.stopDebugging();
      await lens(workbench, 'called 12 times').waitFor({ state: 'detached' });
      await lineShows(workbench, 'sum += 3', /^\s*sum \+= 3 \+ \(item \* piece\) % 5;/);
      assert.ok(!/×/.test(await lineText(workbench, 'sum += 3')), 'nothing stays when the session is over');
    },
  },
  {
    name: 'history in the editor: an expression is logged over the past with the keyboard, and each row goes to its moment',
    programs: ['orders'],
    adapter: 'real',
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      await startAtReport(journey);
      await goToLine(workbench, workspace.line('orders', 'priced'));
      await workbench.command('Chronofork: Log Expression over the Past…');
      await workbench.answerInput('sum');
      // In the Variables view there is a sum too.
      const rows = page.locator('.part.panel .monaco-list-row', { hasText: /sum = \d+/ });
      // Of the twelve as many as there is room for.
      await page.getByText(/orders\.c:\d+: 12\./).waitFor();
      await rows.nth(7).waitFor();
      await journey.picture('history-log');
      await rows.nth(3).focus();
      await rows.nth(3).click();
      await workbench.stoppedAt(workspace.line('orders', 'priced'));
      // VS Code gives the editor the keyboard at a stop; the list takes it back.
      await page.locator('.part.panel .monaco-list:focus').waitFor();
      await page.waitForTimeout(800);
      await page.locator('.part.panel .monaco-list:focus').waitFor();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      await workbench.variableIs('item', '5');
      await workbench.stopDebugging();
      await rows.first().waitFor({ state: 'detached' });
    },
  },
  {
    name: 'history in the editor: a crash is a problem with the writes that led to it',
    programs: ['orders'],
    adapter: 'real',
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      await startAtReport(journey);
      await workbench.press('Continue');
      await workbench.stoppedAt(workspace.line('orders', 'crash'));
      await page.locator('.monaco-editor .squiggly-error').first().waitFor();
      await workbench.command('Problems: Focus on Problems View');
      await page.locator('.markers-panel .monaco-list-row', { hasText: 'went through name' }).waitFor();
      await page.locator('.markers-panel .monaco-list-row', { hasText: 'The last write of shop->name' }).waitFor();
      await journey.picture('history-crash');
      await workbench.press('Step Back');
      await page.locator('.monaco-editor .squiggly-error').first().waitFor({ state: 'detached' });
      await workbench.stopDebugging();
    },
  },
];
