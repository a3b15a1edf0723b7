/** Ways to start: launch.json, right and wrong, and without one. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
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
    adapter: 'scripted',
    prepare: (journey) => writeLaunchJson(journey, { program: '${workspaceFolder}/account', args: '-v', console: 'x' }),
    async walk(journey) {
      const { workbench } = journey;
      await workbench.openFile('account.c');
      await workbench.debuggersReady();
      await workbench.page.keyboard.press('F5');
      const dialog = workbench.dialog('The launch configuration “Mine” cannot be used');
      await dialog.filter({ hasText: '"args" must be a list of strings; it is "-v".' }).waitFor();
      await dialog
        .filter({ hasText: '"console" must be "internalConsole" or "integratedTerminal"; it is "x".' })
        .waitFor();
      await journey.picture('wrong-attributes');
      await dialog.locator('.monaco-button', { hasText: 'Cancel' }).click();
      writeLaunchJson(journey, { program: '${workspaceFolder}/absent', args: [] });
      // VS Code hears of the changed file a little later.
      for (let tries = 0; tries < 20 && !(await dialog.filter({ hasText: 'does not exist' }).isVisible()); tries++) {
        if (await dialog.isVisible()) await dialog.locator('.monaco-button', { hasText: 'Cancel' }).click();
        await workbench.page.waitForTimeout(500);
        await workbench.page.keyboard.press('F5');
        await dialog.waitFor();
      }
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
    adapter: 'scripted',
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
  {
    name: 'a first launch.json is written with the help of our snippets',
    programs: ['account'],
    adapter: 'scripted',
    async walk(journey) {
      const { workbench, workspace } = journey;
      await workbench.openFile('account.c');
      await workbench.debuggersReady();
      await workbench.focusEditor();
      await workbench.page.keyboard.press('Control+Shift+D');
      await workbench.page.locator('.welcome-view-content a', { hasText: 'create a launch.json file' }).click();
      await workbench.page.waitForSelector('.tab.active[data-resource-name="launch.json"]');
      const offered = workbench.page.locator('.suggest-widget .monaco-list-row', { hasText: 'Chronofork: Launch' });
      // Until VS Code's own JSON support has started, only words are offered.
      for (let tries = 0; tries < 10 && !(await offered.first().isVisible()); tries++) {
        await workbench.page.waitForTimeout(1500);
        await workbench.page.keyboard.press('Escape');
        await workbench.page.keyboard.press('Control+Space');
        await workbench.page.waitForTimeout(500);
      }
      await journey.picture('snippets');
      for (const title of [
        'Launch',
        'Launch in the Terminal',
        'Launch with Input from a File',
        'Launch a Cargo Binary',
      ]) {
        await offered
          .filter({ hasText: `Chronofork: ${title}` })
          .first()
          .waitFor();
      }
      await offered.first().click();
      await workbench.page.locator('.view-line', { hasText: 'Debug with Chronofork' }).waitFor();
      await workbench.page.keyboard.press('Control+S');
      await workbench.page.locator('.tab.active.dirty').waitFor({ state: 'detached' });
      const text = readFileSync(path.join(workspace.folder, '.vscode/launch.json'), 'utf8');
      const { configurations } = JSON.parse(text.replace(/^\s*\/\/.*$/gm, ''));
      assert.deepEqual(configurations, [
        {
          type: 'chronofork',
          request: 'launch',
          name: 'Debug with Chronofork',
          program: '${workspaceFolder}/program',
          args: [],
        },
      ]);
    },
  },
  {
    name: 'Select and Start Debugging offers the programs that were found',
    programs: ['account', 'crash'],
    adapter: 'scripted',
    async walk(journey) {
      const { workbench } = journey;
      await workbench.openFile('account.c');
      await workbench.debuggersReady();
      await workbench.command('Debug: Select and Start Debugging');
      await workbench.quickPickRow('Chronofork').click();
      await workbench.quickPickRow('Debug crash').waitFor();
      await journey.picture('found-programs');
      await workbench.quickPickRow('Debug account').click();
      await workbench.statusIs(/ended, exit code 0/);
      await workbench.stopDebugging();
    },
  },
  {
    name: 'several folders: the program is looked for in the folder of the open file, as CMake and Cargo build',
    programs: [
      { of: 'account', source: 'first/bank.c', program: 'first/build/bank' },
      { of: 'account', source: 'second/src/money.c', program: 'second/target/debug/money' },
    ],
    adapter: 'real',
    open: 'all.code-workspace',
    prepare({ workspace }) {
      const folders = [{ path: 'first' }, { path: 'second' }];
      writeFileSync(path.join(workspace.folder, 'all.code-workspace'), JSON.stringify({ folders }));
    },
    async walk(journey) {
      const { workbench, workspace } = journey;
      await workbench.openFile('second', 'src', 'money.c');
      await workbench.debuggersReady();
      await workbench.focusEditor();
      await workbench.setBreakpoint(workspace.line('account', 'first'));
      await workbench.page.keyboard.press('F5');
      await workbench.quickPickRow('money').filter({ hasText: 'target/debug' }).waitFor();
      assert.ok(!(await workbench.quickPickRow('bank').isVisible()), 'the other folder has nothing to do with it');
      await journey.picture('several-folders');
      await workbench.quickPickRow('money').click();
      await workbench.stoppedAt(workspace.line('account', 'first'));
      await workbench.variableIs('balance', '100');
      await workbench.stopDebugging();
    },
  },
  {
    name: 'names with spaces, quotes and letters of other alphabets',
    folderName: `Größe, "it's" 100% ночь`,
    programs: [{ of: 'account', source: `naïve 'bank' n°1.c`, program: `naïve 'bank' n°1` }],
    adapter: 'real',
    async walk(journey) {
      const { workbench, workspace } = journey;
      await workbench.openFile(`naïve 'bank' n°1.c`);
      await workbench.debuggersReady();
      await workbench.focusEditor();
      await workbench.setBreakpoint(workspace.line('account', 'second'));
      await workbench.page.keyboard.press('F5');
      await workbench.quickPickRow(`naïve 'bank' n°1`).click();
      await workbench.stoppedAt(workspace.line('account', 'second'));
      await workbench.press('Step Back');
      await workbench.stoppedAt(workspace.line('account', 'first'));
      await workbench.variableIs('balance', '100');
      await workbench.foldView('Watch');
      await workbench.showView('Checkpoints');
      await workbench.command('Chronofork: Create Checkpoint');
      await workbench.rows('Checkpoints').filter({ hasText: `naïve 'bank' n°1.c:` }).first().waitFor();
      await journey.picture('strange-names');
      await workbench.stopDebugging();
    },
  },
  {
    name: 'a program in the integrated terminal prints there, and can be stepped back',
    programs: ['account'],
    adapter: 'real',
    prepare: (journey) =>
      writeLaunchJson(journey, { program: '${workspaceFolder}/account', console: 'integratedTerminal' }),
    async walk(journey) {
      const { workbench, workspace } = journey;
      await workbench.openFile('account.c');
      await workbench.debuggersReady();
      await workbench.focusEditor();
      await workbench.setBreakpoint(workspace.line('account', 'done'));
      await workbench.page.keyboard.press('F5');
      await workbench.stoppedAt(workspace.line('account', 'done'));
      await workbench.page.locator('.xterm-rows', { hasText: /20\sleft/ }).waitFor();
      await journey.picture('terminal');
      await workbench.press('Step Back');
      await workbench.stoppedAt(workspace.line('account', 'report'));
      await workbench.stopDebugging();
    },
  },
];
