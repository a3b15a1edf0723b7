/** The first minutes: the walkthrough, the machine's check, the sample, and a configuration of another debugger. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** @type {import('../journey.mjs').JourneyDefinition[]} */
export const journeys = [
  {
    name: 'the walkthrough: its steps and pictures, the check of the machine, the sample program up to its crash',
    programs: ['account'],
    adapter: 'real',
    async walk(journey) {
      const { workbench } = journey;
      const { page } = workbench;
      await workbench.command('Chronofork: First Minutes with Chronofork');
      await page.locator('.getting-started-step', { hasText: 'Check this machine' }).first().waitFor();
      for (const [title, name] of [
        ['Debug the sample program', 'sample'],
        ['Step back', 'stepBack'],
        ['Find the write', 'write'],
        ['Go on from the past', 'branch'],
        ['Check this machine', 'check'],
      ]) {
        await page.locator('.getting-started-step', { hasText: title }).first().click();
        await page.waitForTimeout(800);
        await journey.picture(`walkthrough-${name}`);
      }
      await page.locator('.getting-started-step .monaco-button', { hasText: 'Check This Machine' }).click();
      await page.locator('.quick-input-title', { hasText: 'can work here' }).waitFor();
      await workbench.quickPickRow('gdb 12 or later').waitFor();
      await journey.picture('doctor');
      await page.keyboard.press('Escape');
      await workbench.debuggersReady();
      await page.locator('.getting-started-step', { hasText: 'Debug the sample program' }).first().click();
      await page.locator('.getting-started-step .monaco-button', { hasText: 'Debug the Sample' }).click();
      // Ten years of interest take their time on a busy machine.
      await page
        .locator('.statusbar-item[id$="chronofork.present"]', { hasText: 'crashed: SIGSEGV' })
        .waitFor({ timeout: 90_000 });
      await page.locator('.tab', { hasText: 'bank.c' }).waitFor();
      await workbench.stopDebugging();
    },
  },
  {
    name: 'a cppdbg configuration is taken over, with a sentence on what could not be',
    programs: ['account'],
    adapter: 'scripted',
    prepare({ workspace }) {
      mkdirSync(path.join(workspace.folder, '.vscode'));
      const given = {
        type: 'cppdbg',
        request: 'launch',
        name: 'Account',
        program: '${workspaceFolder}/account',
        stopAtEntry: true,
        cwd: '${workspaceFolder}',
        environment: [{ name: 'LANG', value: 'C' }],
        coreDumpPath: 'core',
      };
      const text = `{\n  // mine\n  "version": "0.2.0",\n  "configurations": [${JSON.stringify(given)}]\n}\n`;
      writeFileSync(path.join(workspace.folder, '.vscode/launch.json'), text);
    },
    async walk(journey) {
      const { workbench, workspace } = journey;
      await workbench.command('Chronofork: Use My cppdbg / lldb Configuration with Chronofork…');
      const dialog = workbench.dialog('Account (Chronofork)');
      await dialog.waitFor();
      assert.match(await dialog.innerText(), /coreDumpPath/);
      await journey.picture('imported');
      await workbench.page.keyboard.press('Escape');
      await workbench.page.locator('.tab', { hasText: 'launch.json' }).waitFor();
      const text = readFileSync(path.join(workspace.folder, '.vscode/launch.json'), 'utf8');
      assert.match(text, /\/\/ mine/);
      assert.match(text, /"name": "Account \(Chronofork\)"/);
      assert.match(text, /"stopOnEntry": true/);
      assert.match(text, /"LANG": "C"/);
    },
  },
];
