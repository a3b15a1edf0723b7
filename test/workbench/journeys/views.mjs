/** Checkpoints, bookmarks, the list of moments, and the last write. */
import assert from 'node:assert/strict';
import { makeDemoFolder } from '../../../scripts/demo.mjs';
import { startAt } from './stepBack.mjs';

/** @type {import('../journey.mjs').JourneyDefinition[]} */
export const journeys = [
  {
    name: 'the Checkpoints view lists checkpoints, and a click goes there',
    programs: ['account'],
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      const line = (/** @type {string} */ mark) => workspace.line('account', mark);
      await startAt(journey, 'account', 'first');
      await workbench.press('Step Over');
      await workbench.stoppedAt(line('second'));
      await workbench.press('Step Over');
      await workbench.stoppedAt(line('report'));
      await workbench.foldView('Watch');
      await workbench.showView('Checkpoints');
      const rows = workbench.rows('Checkpoints');
      await rows
        .filter({ hasText: `account.c:${line('second')}` })
        .first()
        .waitFor();
      const row = rows.filter({ hasText: `account.c:${line('first')}` });
      const label = (await row.getAttribute('aria-label')) ?? '';
      assert.match(label, /into the run/);
      assert.match(label, /free [<\d.]+ MB/);
      await row.click();
      await workbench.stoppedAt(line('first'));
      await workbench.variableIs('balance', '100');
      await workbench.statusIs(/back/);
      await rows
        .filter({ hasText: 'you are here' })
        .filter({ hasText: `account.c:${line('first')}` })
        .waitFor();
      await journey.picture('checkpoints');

      await rows.filter({ hasText: 'program start' }).waitFor();
      for (const text of await rows.allInnerTexts()) {
        assert.match(text, /program start|\.c:\d+|loading libraries|, libc/, 'every row says where it is');
      }
      const other = rows.filter({ hasText: `account.c:${line('second')}` });
      await other.click({ button: 'right' });
      const menu = await page.locator('.monaco-menu .action-label').allInnerTexts();
      const wanted = [
        'Go to Checkpoint',
        'Run On From Here (New Branch)',
        'Bookmark…',
        'Rename…',
        'Pin (Keep Until Deleted)',
        'Compare with Where You Are',
        'Delete',
      ];
      assert.deepEqual(
        menu.map((title) => title.trim()).filter((title) => title !== ''),
        wanted,
      );
      await journey.picture('checkpoint-menu');
      await workbench.chooseFromMenu('Pin');
      await page.locator('.pane .codicon-pinned').waitFor();
      await other.hover();
      await other.locator('.action-label[aria-label^="Delete"]').click();
      await other.waitFor({ state: 'detached' });
      await workbench.stopDebugging();
      await page.locator('.welcome-view-content', { hasText: 'A checkpoint is a moment' }).waitFor();
      await journey.picture('no-session');
    },
  },
  {
    name: 'bookmarks are made from the palette, also after the end, and returned to, renamed and deleted',
    programs: ['account'],
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      const line = (/** @type {string} */ mark) => workspace.line('account', mark);
      await startAt(journey, 'account', 'second');
      await workbench.foldView('Watch');
      await workbench.showView('Bookmarks');
      await page.locator('.welcome-view-content', { hasText: 'There are no bookmarks yet' }).waitFor();
      await workbench.command('Chronofork: Bookmark This State');
      await workbench.answerInput('one withdrawal left');
      const bookmark = workbench.rows('Bookmarks').filter({ hasText: 'one withdrawal left' });
      await bookmark.waitFor();
      await workbench.press('Continue');
      await workbench.statusIs(/ended/);
      await workbench.command('Chronofork: Bookmark This State');
      await workbench.answerInput('the end');
      const end = workbench.rows('Bookmarks').filter({ hasText: 'the end' });
      await end.waitFor();
      await bookmark.click();
      await workbench.stoppedAt(line('second'));
      await workbench.variableIs('balance', '70');
      await journey.picture('bookmarks');

      await end.click();
      await end.filter({ hasText: 'you are here' }).waitFor();
      await workbench.press('Continue');
      await workbench.statusIs(/ended/);
      await bookmark.click();
      await workbench.stoppedAt(line('second'));
      await workbench.variableIs('balance', '70');
      await workbench.editorFocused();
      await workbench.chooseFromMenuOf(bookmark, 'Rename…');
      await workbench.answerInput('half way');
      const renamed = workbench.rows('Bookmarks').filter({ hasText: 'half way' });
      await workbench.chooseFromMenuOf(renamed, 'Delete');
      await renamed.waitFor({ state: 'detached' });
      await end.hover();
      await end.locator('.action-label[aria-label^="Delete"]').click();
      await page.locator('.welcome-view-content', { hasText: 'There are no bookmarks yet' }).waitFor();
      await workbench.stopDebugging();
    },
  },
  {
    name: 'a click on the status bar lists the moments, and choosing one goes there',
    programs: ['account'],
    async walk(journey) {
      const { workbench, workspace } = journey;
      await startAt(journey, 'account', 'second');
      await workbench.command('Chronofork: Create Checkpoint');
      await workbench.page.locator('.statusbar-item', { hasText: 'Checkpoint made at' }).waitFor();
      await workbench.page.locator('.statusbar-item[id$="chronofork.present"]').click();
      await workbench.quickPickRow('Beginning of the recording').waitFor();
      await workbench.quickPickRow('by you').waitFor();
      await journey.picture('moments');
      await workbench.quickPickRow('Beginning of the recording').click();
      await workbench.statusIs(/back/);
      await workbench.command('Chronofork: Seek to Checkpoint…');
      await workbench.quickPickRow('Live').click();
      await workbench.stoppedAt(workspace.line('account', 'second'));
      await workbench.statusIs(/live/);
      await workbench.stopDebugging();
    },
  },
  {
    name: 'a long search shows its progress, and Cancel in the notification ends it',
    programs: ['patience'],
    adapter: 'real',
    async walk(journey) {
      const { workbench, workspace } = journey;
      await startAt(journey, 'patience', 'report');
      await workbench.command('Chronofork: Go to Last Write of…');
      await workbench.answerInput('settled');
      await workbench.toast(/Looking for the last write of settled/);
      await journey.picture('progress');
      await workbench.pressInToast(/Looking for the last write of settled/, 'Cancel');
      await workbench.toast(/Cancelled/);
      await workbench.stoppedAt(workspace.line('patience', 'report'));
      await workbench.statusIs(/live/);
      await workbench.press('Step Over');
      await workbench.stoppedAt(workspace.line('patience', 'done'));
      await workbench.stopDebugging();
    },
  },
  {
    name: 'npm run demo -- --code: from the crash to the write that caused it',
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
      await workbench.statusIs(/crashed: SIGSEGV/, 90_000);
      await workbench.variableIs('customer', /0x/);
      const rows = page.locator('.debug-variables .monaco-list-row');
      await rows.filter({ hasText: /^customer\s*=/ }).click();
      await rows.filter({ hasText: /^next\s*=/ }).waitFor();
      // The customer's, which is above the local variable of that name.
      await rows
        .filter({ hasText: /^account\s*=/ })
        .first()
        .click({ button: 'right' });
      await workbench.chooseFromMenu('Go to Last Write');
      await workbench.toast(/The last write to .*account/);
      await workbench.statusIs(/s back/);
      await page.locator('.view-line', { hasText: 'recent[customer->next] = cents' }).waitFor();
      await workbench.foldView('Watch');
      await workbench.showView('Checkpoints');
      await workbench.rows('Checkpoints').filter({ hasText: 'bank.c:' }).first().waitFor();
      await workbench.press('Step Back');
      await page.locator('.pane-header', { hasText: 'Paused on step' }).waitFor();
      // What the README shows: without the console.
      await page.keyboard.press('Control+J');
      await page.setViewportSize({ width: 1100, height: 700 });
      await journey.picture('demo', 'jpeg');
      await workbench.stopDebugging();
    },
  },
  {
    name: 'Go to Last Write: from the palette, the Variables view and the editor',
    programs: ['account'],
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      const line = (/** @type {string} */ mark) => workspace.line('account', mark);
      await startAt(journey, 'account', 'report');
      await workbench.command('Chronofork: Go to Last Write of…');
      await workbench.answerInput('balance');
      await workbench.stoppedAt(line('second'));
      await workbench.toast(/last write to balance: 70 → 20/);

      await workbench.command('Chronofork: Go to End of Recording');
      await workbench.stoppedAt(line('report'));
      await workbench.variableIs('balance', '20');
      await page.locator('.debug-variables .monaco-list-row', { hasText: 'balance' }).click({ button: 'right' });
      await journey.picture('variables-menu');
      await workbench.chooseFromMenu('Go to Last Write');
      await workbench.stoppedAt(line('second'));

      // The editor has then been revealed, which moves the cursor.
      await workbench.variableIs('balance', '70');
      const word = page.locator('.view-line span', { hasText: /^balance$/ }).first();
      await word.click({ button: 'right' });
      // The extension host hears of the cursor's new place a little later.
      await page.waitForTimeout(500);
      await workbench.chooseFromMenu('Go to Last Write of This');
      await workbench.stoppedAt(line('first'));
      await workbench.stopDebugging();
    },
  },
  {
    name: 'Run Back to Cursor: from the editor and from the palette, also where the line was never executed',
    programs: ['account'],
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      const line = (/** @type {string} */ mark) => workspace.line('account', mark);
      await startAt(journey, 'account', 'report');
      // The line of the function, which was executed twice: the last time counts.
      const word = page
        .locator('.view-line', { hasText: 'int left = balance - amount' })
        .locator('span', { hasText: /^left$|left/ });
      await word.first().click({ button: 'right' });
      await page.waitForTimeout(500);
      await journey.picture('run-back-menu');
      await workbench.chooseFromMenu('Run Back to Cursor');
      await workbench.stoppedAt(line('subtract'));
      await workbench.variableIs('amount', '50');
      await workbench.command('Chronofork: Run Back to Cursor');
      await workbench.variableIs('amount', '30');
      await workbench.command('Chronofork: Run Back to Cursor');
      await workbench.toast(/was not executed before/);
      await workbench.stopDebugging();
    },
  },
];
