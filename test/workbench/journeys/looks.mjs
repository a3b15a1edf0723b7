/** What every view of ours looks like, in a light, a dark and a high-contrast theme: compared with goldens. */
/* global MessageEvent */
import { makeDemoFolder } from '../../../scripts/demo.mjs';
import { inEveryTheme, requireSameFonts } from '../looks.mjs';
import { startAt } from './stepBack.mjs';
import { openTimeline, playheadIs } from './timeline.mjs';

/**
 * A view of the side bar, and in it what differs from run to run.
 * @param {import('../workbench.mjs').Workbench} workbench
 * @param {string} name
 */
function view({ page }, name) {
  const pane = page.locator('.pane', { has: page.locator(`.pane-header[aria-label^="${name}"]`) });
  return { pane, varying: pane.locator('.label-description') };
}

/** @type {import('../journey.mjs').JourneyDefinition[]} */
export const journeys = [
  {
    name: 'the look of Checkpoints, Bookmarks, Branches and the buttons',
    programs: ['account'],
    // Its moments are the same each time.
    adapter: 'scripted',
    async walk(journey) {
      const { workbench } = journey;
      const { page } = workbench;
      await requireSameFonts(page);
      await startAt(journey, 'account', 'first');
      for (const name of ['Variables', 'Watch', 'Call Stack', 'Breakpoints']) await workbench.foldView(name);
      for (const name of ['Checkpoints', 'Bookmarks', 'Branches']) await workbench.showView(name);
      await workbench.press('Step Over');
      await workbench.rows('Checkpoints').nth(1).waitFor();
      await workbench.command('Chronofork: Bookmark This State');
      await workbench.answerInput('30 are gone');
      await workbench.rows('Bookmarks').filter({ hasText: '30 are gone' }).waitFor();
      await workbench.press('Step Back');
      await workbench.statusIs(/back/);
      await inEveryTheme(workbench, async (look) => {
        await workbench.command('View: Focus Active Editor Group');
        for (const name of ['Checkpoints', 'Bookmarks', 'Branches']) {
          const { pane, varying } = view(workbench, name);
          await look(name.toLowerCase(), pane, [varying]);
        }
        await look('buttons', page.locator('.debug-toolbar'));
        await look('status', page.locator('.statusbar-item[id$="chronofork.present"]'));
      });
      await workbench.stopDebugging();
    },
  },
  {
    name: 'the look of the Timeline and of history in the editor',
    programs: ['account'],
    adapter: 'real',
    async walk(journey) {
      const { workbench } = journey;
      const { page } = workbench;
      await requireSameFonts(page);
      await startAt(journey, 'account', 'first');
      await workbench.press('Step Over');
      const frame = await openTimeline(workbench);
      await playheadIs(frame, /live/);
      await workbench.press('Step Back');
      await playheadIs(frame, /back/);
      const editor = page.locator('.editor-instance').first();
      await editor.locator('.codelens-decoration', { hasText: 'called once' }).nth(1).waitFor();
      await inEveryTheme(workbench, async (look) => {
        await workbench.command('View: Focus Active Editor Group');
        await look('editor', editor.locator('.overflow-guard').first());
        await frame.evaluate(tellStory);
        await look('timeline', frame.locator('body'), [frame.locator('.reach')]);
      });
      await workbench.stopDebugging();
    },
  },
  {
    name: 'the look of a crash',
    programs: [],
    adapter: 'real',
    prepare: ({ workspace }) => makeDemoFolder(workspace.folder),
    async walk({ workbench }) {
      const { page } = workbench;
      await requireSameFonts(page);
      await workbench.openFile('bank.c');
      await workbench.debuggersReady();
      await page.keyboard.press('Control+Shift+D');
      await page.keyboard.press('F5');
      // Ten years of interest take their time on a busy machine.
      await workbench.statusIs(/crashed: SIGSEGV/, 90_000);
      for (const name of ['Variables', 'Watch', 'Call Stack', 'Breakpoints', 'Checkpoints'])
        await workbench.foldView(name);
      await workbench.showView('Crash');
      await workbench.rows('Crash').filter({ hasText: 'Who wrote customer->account?' }).waitFor();
      await inEveryTheme(workbench, async (look) => {
        await workbench.command('View: Focus Active Editor Group');
        const { pane, varying } = view(workbench, 'Crash');
        await look('crash', pane, [varying]);
      });
      await workbench.stopDebugging();
    },
  },
];

/** In the page of the Timeline view: one story, the same each time. */
function tellStory() {
  const tell = (/** @type {object} */ data) => window.dispatchEvent(new MessageEvent('message', { data }));
  const marks = [];
  for (let event = 0; event < 40; event++) {
    const common = { event: event * 10, timeMs: event * 25, threadId: 1 + (event % 2) };
    if (event % 9 === 4) marks.push({ ...common, kind: 'stop', reason: 'breakpoint', moment: event });
    else if (event === 17) marks.push({ ...common, kind: 'signal', signal: 'SIGUSR1', handled: true });
    else if (event % 3 === 0)
      marks.push({ ...common, kind: 'output', stream: 'stdout', text: `part ${event}`, bytes: 8 });
    else marks.push({ ...common, kind: 'threadSwitch', other: 1 + ((event + 1) % 2) });
  }
  const extent = { fromEvent: 0, toEvent: 400, fromMs: 0, toMs: 1000 };
  const threads = [1, 2].map((threadId) => ({
    threadId,
    busyMs: Array.from({ length: 400 }, (_, index) => (Math.floor(index / 40) % 2 === threadId - 1 ? 2.5 : 0.5)),
  }));
  const memory = Array.from({ length: 10 }, (_, index) => ({
    fromMs: index * 100,
    toMs: index * 100 + 100,
    bytes: 1e5 * (1 + ((index * 7) % 10)),
  }));
  tell({ type: 'lanes', lanes: [{ branch: 0, name: 'First run', fromEvent: 0, marks, extent, memory, threads }] });
  tell({
    type: 'present',
    present: { running: false, live: false, text: '400 ms back', branch: 0, timeMs: 600, event: 240 },
  });
}
