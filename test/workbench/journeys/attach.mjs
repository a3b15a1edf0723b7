/** Programs that run already, and those that others start. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * @param {import('../journey.mjs').Journey} journey
 * @param {object} configuration
 */
function writeLaunchJson({ workspace }, configuration) {
  const folder = path.join(workspace.folder, '.vscode');
  mkdirSync(folder, { recursive: true });
  const named = { type: 'chronofork', name: 'Mine', ...configuration };
  writeFileSync(path.join(folder, 'launch.json'), JSON.stringify({ version: '0.2.0', configurations: [named] }));
}

/** @param {number | undefined} pid */
function tracerOf(pid) {
  return Number(/^TracerPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
}

/** @type {import('../journey.mjs').JourneyDefinition[]} */
export const journeys = [
  {
    name: 'a running program is picked, attached to, stepped back in, and let go',
    programs: ['ticker'],
    adapter: 'real',
    prepare: (journey) => writeLaunchJson(journey, { request: 'attach', pid: '${command:pickProcess}' }),
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      const line = (/** @type {string} */ mark) => workspace.line('ticker', mark);
      const running = spawn(path.join(workspace.folder, 'ticker'), { stdio: 'ignore' });
      const ended = new Promise((resolve) => running.on('exit', resolve));
      try {
        await workbench.openFile('ticker.c');
        await workbench.debuggersReady();
        await workbench.setBreakpoint(line('add'));
        await page.keyboard.press('F5');
        const row = workbench.quickPickRow(new RegExp(`ticker.*${running.pid}`));
        await row.waitFor();
        await journey.picture('process-picker');
        await page.keyboard.type('ticker');
        await row.waitFor();
        await journey.picture('process-picker-filtered');
        await row.click();
        await page.locator('.debug-toolbar').waitFor();
        await page.keyboard.press('Control+Shift+D');
        await page.locator('.pane-header', { hasText: 'Attached' }).waitFor();
        await journey.picture('attached');
        await workbench.press('Continue');
        await workbench.stoppedAt(line('add'));
        await workbench.press('Step Back');
        await workbench.stoppedAt(line('add') - 1);
        await journey.picture('attached-stepped-back');
        await workbench.press('Continue');
        await workbench.stoppedAt(line('add'));
        await workbench.press('Disconnect');
        await page.locator('.debug-toolbar').waitFor({ state: 'hidden' });
        assert.equal(tracerOf(running.pid), 0);
      } finally {
        running.kill('SIGKILL');
        await Promise.race([ended, page.waitForTimeout(5000)]);
      }
    },
  },
  {
    name: 'a child is a session of its own below its parent’s, with the same breakpoints',
    programs: ['family'],
    adapter: 'real',
    prepare: (journey) =>
      writeLaunchJson(journey, { request: 'launch', program: '${workspaceFolder}/family', followChildren: true }),
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      const line = (/** @type {string} */ mark) => workspace.line('family', mark);
      await workbench.openFile('family.c');
      await workbench.debuggersReady();
      await workbench.setBreakpoint(line('twice'));
      await page.keyboard.press('F5');
      await workbench.stoppedAt(line('twice'));
      const sessions = page.locator('.debug-call-stack .session');
      await sessions.filter({ hasText: 'Mine' }).waitFor();
      await sessions.filter({ hasText: /child \d+ family/ }).waitFor();
      await workbench.press('Step Back');
      await workbench.stoppedAt(line('once'));
      await workbench.variableIs('sum', '0');
      await journey.picture('child-session');
      await workbench.removeAllBreakpoints();
      await workbench.press('Continue');
      await page.locator('.debug-call-stack', { hasText: 'Program exited with code 6' }).waitFor();
      await workbench.press('Continue');
      await sessions.filter({ hasText: /child \d+ family/ }).waitFor({ state: 'detached' });
      await page.locator('.repl .monaco-list-row', { hasText: 'the child made 6' }).waitFor();
      await workbench.stopDebugging();
    },
  },
  {
    name: 'stopping a program stops the sessions of its children',
    programs: ['family'],
    adapter: 'real',
    prepare: (journey) =>
      writeLaunchJson(journey, { request: 'launch', program: '${workspaceFolder}/family', followChildren: true }),
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      await workbench.openFile('family.c');
      await workbench.debuggersReady();
      await workbench.setBreakpoint(workspace.line('family', 'twice'));
      await page.keyboard.press('F5');
      await workbench.stoppedAt(workspace.line('family', 'twice'));
      const parent = page.locator('.debug-call-stack .monaco-list-row', { hasText: 'Mine' });
      await parent.hover();
      await parent.locator('.action-label[aria-label^="Stop"]').click();
      await page.locator('.debug-toolbar').waitFor({ state: 'hidden' });
    },
  },
];
