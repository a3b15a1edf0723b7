/** launch.json: what is wrong is said before anything starts. */
import { mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * @param {import('../journey.mjs').Journey} journey
 * @param {object} configuration
 */
function writeLaunchJson({ workspace }, configuration) {
  const folder = path.join(workspace.folder, '.vscode');
  mkdirSync(folder, { recursive: true });
  const named = { type: 'chronofork', request: 'launch', name: 'Mine', ...configuration };
  writeFileSync(path.join(folder, 'launch.json'), JSON.stringify({ version: '0.2.0', configurations: [named] }));
}

/** @type {import('../journey.mjs').JourneyDefinition[]} */
export const journeys = [
  {
    name: 'a wrong launch.json is explained, and offered to be opened',
    programs: ['account'],
    prepare: (journey) => writeLaunchJson(journey, { program: '${workspaceFolder}/absent', args: [] }),
    async walk(journey) {
      const { workbench } = journey;
      await workbench.openFile('account.c');
      await workbench.debuggersReady();
      await workbench.page.keyboard.press('F5');
      const dialog = workbench.dialog('The launch configuration “Mine” cannot be used');
      await dialog.filter({ hasText: /does not exist: .*absent\. Has it been built\?/ }).waitFor();
      await journey.picture('wrong-launch');
      await dialog.locator('.monaco-button', { hasText: 'Open launch.json' }).click();
      await workbench.page.waitForSelector('.tab.active[data-resource-name="launch.json"]');
    },
  },
  {
    name: 'stopOnEntry stops in main',
    programs: ['account'],
    prepare: (journey) => writeLaunchJson(journey, { program: '${workspaceFolder}/account', stopOnEntry: true }),
    async walk(journey) {
      const { workbench, workspace } = journey;
      await workbench.openFile('account.c');
      await workbench.debuggersReady();
      await workbench.page.keyboard.press('Control+Shift+D');
      await workbench.page.keyboard.press('F5');
      await workbench.stoppedAt(workspace.line('account', 'open'));
      await workbench.stopDebugging();
    },
  },
  {
    name: 'a source file whose program was not built says how to build it',
    programs: ['account'],
    prepare: ({ workspace }) => unlinkSync(path.join(workspace.folder, 'account')),
    async walk(journey) {
      const { workbench } = journey;
      await workbench.openFile('account.c');
      await workbench.debuggersReady();
      await workbench.focusEditor();
      await workbench.page.keyboard.press('F5');
      const dialog = workbench.dialog('No program built from account.c was found');
      await dialog.filter({ hasText: 'gcc -g -O0 -o account account.c' }).waitFor();
      await journey.picture('not-built');
      await dialog.locator('.monaco-button', { hasText: 'Cancel' }).click();
    },
  },
];
