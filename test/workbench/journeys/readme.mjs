/** What the README's animated picture shows: a crash, who wrote the bad pointer, and steps back from there. */
import { makeDemoFolder } from '../../../scripts/demo.mjs';

/** @type {import('../journey.mjs').JourneyDefinition[]} */
export const journeys = [
  {
    name: 'the README’s animated picture: from the crash to the write, and steps back from it',
    programs: [],
    adapter: 'real',
    prepare: ({ workspace }) => makeDemoFolder(workspace.folder),
    async walk(journey) {
      const { workbench } = journey;
      const { page } = workbench;
      await page.setViewportSize({ width: 1100, height: 700 });
      await workbench.openFile('bank.c');
      await workbench.debuggersReady();
      await page.keyboard.press('Control+Shift+D');
      await page.keyboard.press('F5');
      await workbench.statusIs(/crashed: SIGSEGV/, 90_000);
      await page.keyboard.press('Control+J');
      for (const view of ['Watch', 'Breakpoints', 'Checkpoints', 'Bookmarks']) await workbench.foldView(view);
      await workbench.showView('Crash');
      const who = workbench.rows('Crash').filter({ hasText: 'Who wrote customer->account?' });
      await who.waitFor();
      await journey.picture('frame-1');
      await who.hover();
      await journey.picture('frame-2');
      await who.click();
      await workbench.toast(/The last write to customer->account/);
      await page.locator('.view-line', { hasText: 'recent[customer->next] = cents' }).waitFor();
      await page.waitForTimeout(1000);
      await journey.picture('frame-3');
      await page
        .locator('.notifications-toasts .codicon-notifications-clear')
        .first()
        .click()
        .catch(() => undefined);
      for (const frame of ['frame-4', 'frame-5', 'frame-6']) {
        await workbench.press('Step Back');
        await page.waitForTimeout(1500);
        await journey.picture(frame);
      }
      await workbench.stopDebugging();
    },
  },
];
