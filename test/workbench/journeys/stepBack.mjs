/** The main road: F5, a breakpoint, forward, and back, by mouse and by keyboard. */
import assert from 'node:assert/strict';

/**
 * Starts the program of an open file without a launch.json, and stops at its
 * first breakpoint.
 * @param {import('../journey.mjs').Journey} journey
 * @param {string} program
 * @param {string} mark
 */
export async function startAt(journey, program, mark) {
  const { workbench, workspace } = journey;
  await workbench.openFile(`${program}.c`);
  await workbench.debuggersReady();
  await workbench.focusEditor();
  await workbench.setBreakpoint(workspace.line(program, mark));
  await workbench.page.keyboard.press('F5');
  await workbench.quickPickRow(program).click();
  await workbench.stoppedAt(workspace.line(program, mark));
}

/** @type {import('../journey.mjs').JourneyDefinition[]} */
export const journeys = [
  {
    name: 'F5 without launch.json, a breakpoint, Step Over, and Step Back with the mouse shows the earlier value',
    programs: ['account'],
    async walk(journey) {
      const { workbench, workspace } = journey;
      const line = (/** @type {string} */ mark) => workspace.line('account', mark);
      await startAt(journey, 'account', 'first');
      await workbench.variableIs('balance', '100');
      await workbench.statusIs(/live/);
      await workbench.press('Step Over');
      await workbench.stoppedAt(line('second'));
      await workbench.variableIs('balance', '70');
      await workbench.press('Step Over');
      await workbench.stoppedAt(line('report'));
      await workbench.variableIs('balance', '20');

      await workbench.press('Step Back');
      await workbench.stoppedAt(line('second'));
      await workbench.variableIs('balance', '70');
      await workbench.statusIs(/back/);
      await journey.picture('stepped-back');
      await workbench.press('Step Back');
      await workbench.stoppedAt(line('first'));
      await workbench.variableIs('balance', '100');

      await workbench.press('Step Over');
      await workbench.stoppedAt(line('second'));
      await workbench.variableIs('balance', '70');
      await workbench.stopDebugging();
    },
  },
  {
    name: 'the chosen program is remembered: the second F5 asks nothing',
    programs: ['account'],
    adapter: 'scripted',
    async walk(journey) {
      const { workbench, workspace } = journey;
      await startAt(journey, 'account', 'first');
      await workbench.stopDebugging();
      await workbench.focusEditor();
      await workbench.page.keyboard.press('F5');
      await workbench.stoppedAt(workspace.line('account', 'first'));
      await workbench.stopDebugging();
    },
  },
  {
    name: 'Reverse goes back to the breakpoint before, and to the beginning when there is none',
    programs: ['account'],
    async walk(journey) {
      const { workbench, workspace } = journey;
      const line = (/** @type {string} */ mark) => workspace.line('account', mark);
      await startAt(journey, 'account', 'subtract');
      await workbench.variableIs('balance', '100');
      await workbench.press('Continue');
      await workbench.variableIs('balance', '70');
      await workbench.press('Reverse');
      await workbench.stoppedAt(line('subtract'));
      await workbench.variableIs('balance', '100');
      await workbench.command('Chronofork: Go to End of Recording');
      await workbench.variableIs('balance', '70');
      await workbench.statusIs(/live/);
      await workbench.stopDebugging();
    },
  },
  {
    name: 'stepping back into, out of and over calls, with the keyboard alone',
    programs: ['account'],
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { keyboard } = workbench.page;
      const line = (/** @type {string} */ mark) => workspace.line('account', mark);
      await startAt(journey, 'account', 'second');
      await keyboard.press('Control+Shift+F11');
      await workbench.stoppedAt(line('leave'));
      await workbench.variableIs('left', '70');
      await keyboard.press('Control+F10');
      await workbench.stoppedAt(line('give-back'));
      await keyboard.press('Control+F10');
      await workbench.stoppedAt(line('subtract'));
      await keyboard.press('F10');
      await workbench.stoppedAt(line('give-back'));
      await keyboard.press('Control+Shift+F7');
      await workbench.stoppedAt(line('first'));
      await workbench.variableIs('balance', '100');
      await keyboard.press('F10');
      await workbench.stoppedAt(line('second'));
      await keyboard.press('Control+Shift+F8');
      await workbench.page.locator('.pane-header', { hasText: 'Beginning of the recording' }).waitFor();
      await workbench.stopDebugging();
    },
  },
  {
    name: 'our keys are nobody else’s',
    programs: [],
    adapter: 'scripted',
    async walk({ workbench }) {
      const { page } = workbench;
      await workbench.command('Preferences: Open Keyboard Shortcuts');
      const rows = page.locator('.keybindings-editor .monaco-list-row');
      for (const [key, title] of [
        ['ctrl+f10', 'Chronofork: Reverse Step Over'],
        ['ctrl+shift+f11', 'Chronofork: Reverse Step Into'],
        ['ctrl+shift+f7', 'Chronofork: Reverse Step Out'],
        ['ctrl+shift+f8', 'workbench.action.debug.reverseContinue'],
        ['ctrl+shift+f6', 'Chronofork: Go to Last Write of This'],
      ]) {
        await page.locator('.keybindings-editor .search-container').click();
        await page.keyboard.press('Control+A');
        await page.keyboard.insertText(`"${key}"`);
        await rows.and(page.locator(`[aria-label^="${title},"]`)).waitFor();
        await rows.nth(1).waitFor({ state: 'detached' });
      }
    },
  },
  {
    name: 'the debug toolbar has its buttons, enabled, and the palette its commands',
    programs: ['account'],
    adapter: 'scripted',
    async walk(journey) {
      const { workbench } = journey;
      await startAt(journey, 'account', 'second');
      for (const name of ['Step Back', 'Reverse', 'Reverse Step Into', 'Reverse Step Out', 'Create Checkpoint'])
        await workbench.hasButton(name);
      const titles = await workbench.paletteTitles('Chronofork: ');
      for (const title of [
        'Reverse Step Over',
        'Reverse Step Into',
        'Reverse Step Out',
        'Go to Last Write of…',
        'Create Checkpoint',
        'Seek to Checkpoint…',
        'Bookmark This State',
        'Go to Beginning of Recording',
        'Go to End of Recording',
      ]) {
        assert.ok(titles.includes(`Chronofork: ${title}`), `no ${title} in ${titles.join(' | ')}`);
      }
      assert.ok(!titles.includes('Chronofork: Replay the Crash'), 'nothing has crashed');
      await workbench.stopDebugging();
    },
  },
  {
    name: 'what the program prints is shown once, however often it is replayed',
    programs: ['account'],
    adapter: 'real',
    async walk(journey) {
      const { workbench, workspace } = journey;
      const line = (/** @type {string} */ mark) => workspace.line('account', mark);
      await startAt(journey, 'account', 'done');
      const printed = workbench.page.locator('.repl .monaco-list-row', { hasText: '20 left' });
      await printed.waitFor();
      for (let round = 0; round < 2; round++) {
        await workbench.press('Step Back');
        await workbench.stoppedAt(line('report'));
        await workbench.press('Step Over');
        await workbench.stoppedAt(line('done'));
      }
      assert.equal(await printed.count(), 1);
      // VS Code shows equal lines that follow each other as one, with their number in a badge.
      assert.match(await printed.locator('.count-badge-wrapper').innerText(), /^[01]?$/);
      await workbench.stopDebugging();
    },
  },
];
