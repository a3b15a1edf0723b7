/** Changing the past, going on from it, and crashes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { startAt } from './stepBack.mjs';

/**
 * Changes a variable in the Variables view.
 * @param {import('../journey.mjs').Journey} journey
 * @param {string} name
 * @param {string} value
 */
async function setVariable({ workbench }, name, value) {
  const { page } = workbench;
  await page.locator('.debug-variables .monaco-list-row', { hasText: name }).click();
  await page.keyboard.press('F2');
  const input = page.locator('.debug-variables input');
  await input.fill(value);
  await input.press('Enter');
  await workbench.variableIs(name, value);
}

/** @type {import('../journey.mjs').JourneyDefinition[]} */
export const journeys = [
  {
    name: 'after a change in the past Continue asks; run on from here begins a branch, and one can go back to the first run',
    programs: ['account'],
    async walk(journey) {
      const { workbench, workspace } = journey;
      const line = (/** @type {string} */ mark) => workspace.line('account', mark);
      await startAt(journey, 'account', 'report');
      await workbench.press('Step Back');
      await workbench.stoppedAt(line('second'));
      await setVariable(journey, 'balance', '1000');
      await workbench.statusIs(/changed/);
      await workbench.press('Continue');
      const dialog = workbench.dialog('You have changed something in the past');
      await dialog.waitFor();
      await journey.picture('edited-continue');
      await dialog.locator('.monaco-button', { hasText: 'Run On From Here' }).click();
      await workbench.stoppedAt(line('report'));
      await workbench.statusIs(/live, branch 1/);
      await workbench.foldView('Watch');
      await workbench.showView('Checkpoints');
      await workbench.rows('Checkpoints').filter({ hasText: 'Branch 1' }).waitFor();
      await workbench.rows('Checkpoints').filter({ hasText: 'First run' }).waitFor();
      await journey.picture('branches');

      await workbench.command('Chronofork: Seek to Checkpoint…');
      await workbench.quickPickRow('Checkpoints of: First run').waitFor();
      await journey.picture('moments-of-branches');
      await workbench.quickPickRow('Where “First run” stands').click();
      await workbench.statusIs(/live, first run/);
      await workbench.variableIs('balance', '20');
      await workbench.stopDebugging();
    },
  },
  {
    name: 'after a change in the past it may be discarded by a step too, or one may stay',
    programs: ['account'],
    async walk(journey) {
      const { workbench, workspace } = journey;
      const line = (/** @type {string} */ mark) => workspace.line('account', mark);
      await startAt(journey, 'account', 'report');
      await workbench.press('Step Back');
      await workbench.stoppedAt(line('second'));
      await setVariable(journey, 'balance', '1000');
      await workbench.press('Continue');
      const dialog = workbench.dialog('You have changed something in the past');
      await dialog.locator('.monaco-button', { hasText: 'Cancel' }).click();
      await workbench.stoppedAt(line('second'));
      await workbench.variableIs('balance', '1000');
      await workbench.press('Step Over');
      await dialog.locator('.monaco-button', { hasText: 'Discard the Change' }).click();
      await workbench.stoppedAt(line('report'));
      await workbench.variableIs('balance', '20');
      await workbench.stopDebugging();
    },
  },
  {
    name: 'Run On From Here at a past moment goes on live',
    programs: ['account'],
    async walk(journey) {
      const { workbench, workspace } = journey;
      await startAt(journey, 'account', 'report');
      assert.ok(!(await workbench.toolbar()).some((button) => button.name === 'Run On From Here'), 'only in the past');
      await workbench.press('Step Back');
      await workbench.stoppedAt(workspace.line('account', 'second'));
      await workbench.press('Run On From Here');
      await workbench.statusIs(/live, branch 1/);
      await workbench.press('Step Over');
      await workbench.stoppedAt(workspace.line('account', 'report'));
      await workbench.stopDebugging();
    },
  },
  {
    name: 'Run On From Here says which files keep what was written later, and writes where the program was then',
    programs: ['diary'],
    adapter: 'real',
    async walk(journey) {
      const { workbench, workspace } = journey;
      const diary = () => readFileSync(path.join(workspace.folder, 'diary.txt'), 'utf8');
      await startAt(journey, 'diary', 'close');
      assert.equal(diary(), 'monday\ntuesday\nwednesday\n');
      await workbench.press('Step Back');
      await workbench.stoppedAt(workspace.line('diary', 'wednesday'));
      await workbench.press('Step Back');
      await workbench.stoppedAt(workspace.line('diary', 'tuesday'));
      await workbench.press('Run On From Here');
      await workbench.toast(/wrote after this moment to diary\.txt is not undone/);
      await workbench.variableIs('diary', /^\d+$/);
      await journey.picture('files-not-undone');
      await workbench.pressInToast(/is not undone/, 'OK');
      assert.equal(diary(), 'monday\ntuesday\nwednesday\n', 'nothing has been written yet');
      await workbench.press('Continue');
      await workbench.stoppedAt(workspace.line('diary', 'close'));
      assert.equal(diary(), 'monday\ntuesday\nwednesday\n', 'the same lines at the same places');
      await workbench.stopDebugging();
    },
  },
  {
    name: 'a crash: the reason, back to the write that caused it, and the crash replayed',
    programs: ['crash'],
    async walk(journey) {
      const { workbench, workspace } = journey;
      const line = (/** @type {string} */ mark) => workspace.line('crash', mark);
      await startAt(journey, 'crash', 'link');
      await workbench.press('Continue');
      await workbench.stoppedAt(line('add'));
      await workbench.statusIs(/crashed: SIGSEGV/, 90_000);
      const reason = workbench.page.locator('.exception-widget');
      await reason.filter({ hasText: 'the program used an address it must not use, 0x8' }).waitFor();
      await journey.picture('crash');
      await workbench.press('Step Back');
      await workbench.statusIs(/back/);
      await workbench.variableIs('item', '0x8');
      // The fault was in the middle of its line: the first step back goes to where that line begins.
      await workbench.page.getByText('Paused on step').waitFor();
      await workbench.stoppedAt(line('add'));
      await workbench.press('Step Back');
      await workbench.stoppedAt(line('more'));
      await workbench.removeAllBreakpoints();
      await workbench.command('Chronofork: Replay the Crash');
      await workbench.statusIs(/back/);
      await workbench.press('Continue');
      await workbench.stoppedAt(line('add'));
      await workbench.statusIs(/crashed: SIGSEGV/, 90_000);
      await workbench.stopDebugging();
    },
  },
];
