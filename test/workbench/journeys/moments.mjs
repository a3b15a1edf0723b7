/** Crash, branches, bookmarks with notes, two moments compared, places one has been at, first and next writes. */
import assert from 'node:assert/strict';
import { makeDemoFolder } from '../../../scripts/demo.mjs';
import { startAt } from './stepBack.mjs';

/**
 * Chooses from the list that is open.
 * @param {import('../workbench.mjs').Workbench} workbench
 * @param {string | RegExp} text
 */
async function pick(workbench, text) {
  await workbench.quickPickRow(text).click();
}

/**
 * Makes room in the side bar.
 * @param {import('../workbench.mjs').Workbench} workbench
 * @param {string[]} views
 */
async function foldOthers(workbench, views = ['Watch', 'Breakpoints']) {
  for (const view of views) await workbench.foldView(view);
}

/** @type {import('../journey.mjs').JourneyDefinition[]} */
export const journeys = [
  {
    name: 'the Crash view says what happened, and leads to who wrote the bad pointer, by mouse and by keyboard',
    programs: [],
    adapter: 'real',
    prepare: ({ workspace }) => makeDemoFolder(workspace.folder),
    async walk(journey) {
      const { workbench } = journey;
      const { page } = workbench;
      await workbench.openFile('bank.c');
      await workbench.debuggersReady();
      await page.keyboard.press('Control+Shift+D');
      await page.keyboard.press('F5');
      // Ten years of interest take their time on a busy machine.
      await workbench.statusIs(/crashed: SIGSEGV/, 90_000);
      await foldOthers(workbench);
      await workbench.showView('Crash');
      const rows = workbench.rows('Crash');
      await rows.filter({ hasText: 'SIGSEGV' }).waitFor();
      await rows.filter({ hasText: 'bank.c:' }).waitFor();
      await rows.filter({ hasText: 'the address that could not be accessed' }).waitFor();
      const who = rows.filter({ hasText: 'Who wrote customer->account?' });
      await who.waitFor();
      await journey.picture('crash');
      await who.click();
      await workbench.toast(/The last write to customer->account/);
      await page.locator('.view-line', { hasText: 'recent[customer->next] = cents' }).waitFor();
      await workbench.statusIs(/s back/);
      // From anywhere back to the crash, with the keyboard alone.
      await workbench.command('Chronofork: Go to the Crash');
      await workbench.statusIs(/crashed: SIGSEGV/, 90_000);
      // VS Code gives the editor the keyboard when it shows where that is.
      await page.locator('.debug-call-stack .stack-frame', { hasText: 'print_statement' }).waitFor();
      await page.waitForTimeout(1000);
      await workbench.command('Run and Debug: Focus on Crash View');
      await page.keyboard.press('End');
      await page.keyboard.press('ArrowUp');
      await page.keyboard.press('Enter');
      await workbench.statusIs(/back/);
      await workbench.command('Chronofork: Replay the Crash');
      await workbench.statusIs(/back/);
      await workbench.stopDebugging();
    },
  },
  {
    name: 'bookmarks have notes, two are compared in a diff editor, and one with where one is',
    programs: ['account'],
    adapter: 'real',
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      const line = (/** @type {string} */ mark) => workspace.line('account', mark);
      await startAt(journey, 'account', 'first');
      await foldOthers(workbench, ['Watch', 'Breakpoints', 'Checkpoints']);
      await workbench.showView('Bookmarks');
      await workbench.command('Chronofork: Bookmark This State');
      await workbench.answerInput('before');
      const rows = workbench.rows('Bookmarks');
      const before = rows.filter({ hasText: 'before' });
      await before.waitFor();
      await workbench.chooseFromMenuOf(before, 'Note…');
      await workbench.answerInput('all the money is there');
      await rows.filter({ hasText: 'all the money is there' }).waitFor();
      await workbench.press('Step Over');
      await workbench.stoppedAt(line('second'));
      await workbench.command('Chronofork: Bookmark This State');
      await workbench.answerInput('after');
      const after = rows.filter({ hasText: 'after' });
      await after.waitFor();
      await journey.picture('notes');
      await workbench.chooseFromMenuOf(before, 'Compare with Where You Are');
      await page.locator('.tab', { hasText: 'before ↔ Where you are' }).waitFor();
      await page.locator('.editor.modified .view-line', { hasText: /balance\s=\s70/ }).waitFor();
      await page.locator('.editor.original .view-line', { hasText: /balance\s=\s100/ }).waitFor();
      await workbench.stoppedAt(line('second'));
      // Two at once; a click alone would go there.
      await before.click();
      await workbench.stoppedAt(line('first'));
      await after.click({ modifiers: ['Control'] });
      await workbench.chooseFromMenuOf(after, 'Compare Two Moments…');
      await page.locator('.tab', { hasText: 'before ↔ after' }).waitFor();
      await page.locator('.editor.modified .view-line', { hasText: /balance\s=\s70/ }).waitFor();
      await journey.picture('compare');
      // Two that are picked.
      await workbench.command('Chronofork: Compare Two Moments…');
      for (const [title, text] of [
        ['the first', 'after'],
        ['the second', 'Where you are'],
      ]) {
        await page.locator('.quick-input-title', { hasText: title }).waitFor();
        await page.locator('.quick-input-widget .quick-input-filter input').fill(text ?? '');
        await page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first().waitFor();
        await page.keyboard.press('Enter');
      }
      await page.locator('.tab', { hasText: 'Where you are ↔ after' }).waitFor();
      await workbench.stopDebugging();
    },
  },
  {
    name: 'a checkpoint is dragged to the bookmarks',
    skipped: 'neither the driver’s mouse nor the events of one drop it; whether a hand does is not shown yet',
    programs: ['account'],
    adapter: 'real',
    async walk(journey) {
      const { workbench } = journey;
      await startAt(journey, 'account', 'second');
      await foldOthers(workbench, ['Watch', 'Breakpoints', 'Call Stack']);
      await workbench.showView('Checkpoints');
      await workbench.showView('Bookmarks');
      const row = workbench.rows('Checkpoints').filter({ hasText: 'loading libraries' }).first();
      await row.waitFor();
      // VS Code takes nothing that is dropped on a view without rows.
      await workbench.command('Chronofork: Bookmark This State');
      await workbench.answerInput('second stop');
      await workbench.rows('Bookmarks').first().waitFor();
      await workbench.drag(row, workbench.rows('Bookmarks').first());
      await workbench.rows('Bookmarks').nth(1).waitFor();
      assert.equal(await workbench.rows('Bookmarks').count(), 2);
      await journey.picture('dragged');
      await workbench.stopDebugging();
    },
  },
  {
    name: 'the Branches view shows where each line of time left, goes there, and renames',
    programs: ['account'],
    adapter: 'real',
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      const line = (/** @type {string} */ mark) => workspace.line('account', mark);
      await startAt(journey, 'account', 'report');
      await foldOthers(workbench, ['Watch', 'Breakpoints', 'Checkpoints', 'Bookmarks']);
      await workbench.showView('Branches');
      await page.locator('.welcome-view-content', { hasText: 'There is one line of time' }).waitFor();
      await workbench.press('Step Back');
      await workbench.stoppedAt(line('second'));
      const welcome = page.locator('.welcome-view-content', { hasText: 'You are in the past' });
      await welcome.waitFor();
      await journey.picture('branches-none');
      await welcome.locator('.monaco-button', { hasText: 'Run On From Here' }).click();
      const rows = workbench.rows('Branches');
      await rows.filter({ hasText: 'Branch 1' }).filter({ hasText: 'you are on it' }).waitFor();
      await workbench.chooseFromMenuOf(rows.filter({ hasText: 'Branch 1' }), 'Rename Branch…');
      await workbench.answerInput('what if');
      await rows.filter({ hasText: 'what if' }).waitFor();
      await journey.picture('branches');
      const first = rows.and(page.locator('[aria-label^="Branch First run"]'));
      await first.click();
      await workbench.stoppedAt(line('report'));
      await first.filter({ hasText: 'you are on it' }).waitFor();
      await workbench.command('Chronofork: Go to Branch…');
      await pick(workbench, 'what if');
      await workbench.stoppedAt(line('second'));
      await workbench.stopDebugging();
    },
  },
  {
    name: 'back and forward through the places one has been at, by keys, buttons and the list',
    programs: ['account'],
    adapter: 'real',
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      const line = (/** @type {string} */ mark) => workspace.line('account', mark);
      await startAt(journey, 'account', 'first');
      await workbench.press('Step Over');
      await workbench.stoppedAt(line('second'));
      await workbench.press('Step Over');
      await workbench.stoppedAt(line('report'));
      await workbench.focusEditor();
      await page.keyboard.press('Alt+ArrowLeft');
      await workbench.stoppedAt(line('second'));
      await workbench.variableIs('balance', '70');
      await page.keyboard.press('Alt+ArrowLeft');
      await workbench.stoppedAt(line('first'));
      await page.keyboard.press('Alt+ArrowRight');
      await workbench.stoppedAt(line('second'));
      await workbench.command('Chronofork: Go Forward to the Place After');
      await workbench.stoppedAt(line('report'));
      await workbench.command('Chronofork: Places You Have Been At…');
      await journey.picture('visited');
      await pick(workbench, `account.c:${line('first')}`);
      await workbench.stoppedAt(line('first'));
      await workbench.stopDebugging();
    },
  },
  {
    name: 'first and next write of a variable, from the Variables view, the palette and the editor',
    programs: ['account'],
    adapter: 'real',
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      const line = (/** @type {string} */ mark) => workspace.line('account', mark);
      await startAt(journey, 'account', 'report');
      await workbench.variableIs('balance', '20');
      await page.locator('.debug-variables .monaco-list-row', { hasText: 'balance' }).click({ button: 'right' });
      await journey.picture('write-menu');
      await workbench.chooseFromMenu('Go to First Write');
      await workbench.stoppedAt(line('open'));
      await workbench.toast(/The first write to balance/);
      await workbench.command('Chronofork: Go to Next Write of…');
      await workbench.answerInput('balance');
      await workbench.toast(/The next write to balance: 100 → 70/);
      await workbench.stoppedAt(line('first'));
      const word = page.locator('.view-line span', { hasText: /^balance$/ }).first();
      await word.click();
      await page.waitForTimeout(500);
      await page.keyboard.press('Control+F6');
      await workbench.toast(/The next write to balance: 70 → 20/);
      await workbench.stoppedAt(line('second'));
      await workbench.stopDebugging();
    },
  },
  {
    name: 'to a time, to an event, and to where a line of output was written',
    programs: ['account'],
    adapter: 'real',
    async walk(journey) {
      const { workbench } = journey;
      await startAt(journey, 'account', 'done');
      await workbench.press('Continue');
      await workbench.statusIs(/ended/);
      await workbench.command('Chronofork: Go to a Line of Output…');
      await journey.picture('output-lines');
      await pick(workbench, '20 left');
      await workbench.statusIs(/back/);
      await workbench.command('Chronofork: Go to Time…');
      await workbench.answerInput('100 %');
      await workbench.command('Chronofork: Go to Event…');
      await workbench.answerInput('-1');
      await workbench.statusIs(/back/);
      await workbench.stopDebugging();
    },
  },
];
