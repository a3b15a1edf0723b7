/** The Timeline view: with the mouse, with the keyboard alone, and as an assistive program sees it. */
import assert from 'node:assert/strict';
import { startAt } from './stepBack.mjs';

/**
 * Opens the view in the panel, and gives its page.
 * @param {import('../workbench.mjs').Workbench} workbench
 */
async function openTimeline(workbench) {
  await workbench.command('Chronofork: Show Timeline');
  return timelinePage(workbench);
}

/**
 * @param {import('../workbench.mjs').Workbench} workbench
 * @returns {Promise<import('playwright-core').Frame>}
 */
async function timelinePage({ page }) {
  for (let left = 100; left > 0; left--, await page.waitForTimeout(100)) {
    for (const frame of page.frames()) {
      const found = await frame.$('.picture[role="slider"]').catch(() => null);
      if (found) return frame;
    }
  }
  throw new Error('the Timeline view has no page');
}

/**
 * Waits until the playhead says where it is.
 * @param {import('playwright-core').Frame} frame
 * @param {RegExp} text
 */
async function playheadIs(frame, text) {
  let said = '';
  for (let left = 150; left > 0; left--, await frame.waitForTimeout(100)) {
    said = (await frame.locator('.picture').getAttribute('aria-valuetext')) ?? '';
    if (text.test(said)) return;
  }
  assert.fail(`the playhead does not say ${text}, but: ${said}`);
}

/** @type {import('../journey.mjs').JourneyDefinition[]} */
export const journeys = [
  {
    name: 'the Timeline view: a click, a drag and a line of output go to their moment',
    programs: ['account'],
    adapter: 'real',
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      const line = (/** @type {string} */ mark) => workspace.line('account', mark);
      const frame = await openTimeline(workbench);
      await frame.locator('.empty', { hasText: 'Debug a program' }).waitFor();
      await journey.picture('timeline-empty');
      await startAt(journey, 'account', 'first');
      await openTimeline(workbench);
      await workbench.press('Step Over');
      await workbench.stoppedAt(line('second'));
      await workbench.press('Step Over');
      await workbench.stoppedAt(line('report'));
      await workbench.press('Step Over');
      await playheadIs(frame, /live/);
      await frame.locator('.list [role="option"]', { hasText: 'Stopped: breakpoint' }).first().waitFor();
      await journey.picture('timeline');
      // A stop of the list.
      await frame.locator('.list [role="option"]', { hasText: 'Stopped: breakpoint' }).first().click();
      await workbench.stoppedAt(line('first'));
      await workbench.variableIs('balance', '100');
      await playheadIs(frame, /back/);
      // To the end by its button, and with the pointer to the left.
      await frame.locator('button', { hasText: 'Go live' }).click();
      await playheadIs(frame, /live/);
      const box = await frame.locator('canvas').boundingBox();
      assert.ok(box);
      await page.mouse.move(box.x + box.width - 17, box.y + 80);
      await page.mouse.down();
      for (let part = 0.9; part > 0.3; part -= 0.1) await page.mouse.move(box.x + box.width * part, box.y + 80);
      await journey.picture('timeline-drag');
      await page.mouse.up();
      await playheadIs(frame, /back/);
      await workbench.statusIs(/back/);
      await workbench.stopDebugging();
    },
  },
];
