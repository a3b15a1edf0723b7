/** The Timeline view: with the mouse, with the keyboard alone, and as an assistive program sees it. */
/* global requestAnimationFrame, MessageEvent, WheelEvent */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { startAt } from './stepBack.mjs';

/**
 * Opens the view in the panel, and gives its page.
 * @param {import('../workbench.mjs').Workbench} workbench
 */
export async function openTimeline(workbench) {
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
export async function playheadIs(frame, text) {
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
      // The list follows the present: a row is not where it was until the last stop is in it.
      const stopAt = (/** @type {string} */ mark) =>
        frame.locator('.list [role="option"]', { hasText: `Stopped at account.c:${line(mark)}: ` });
      await stopAt('done').first().waitFor();
      await journey.picture('timeline');
      // A stop of the list.
      await stopAt('first').first().click();
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
  {
    name: 'the Timeline view by keyboard alone, read aloud, and without serious findings of axe',
    programs: ['story'],
    adapter: 'real',
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      await startAt(journey, 'story', 'done');
      const frame = await openTimeline(workbench);
      await playheadIs(frame, /live/);
      await frame.locator('.list .output', { hasText: 'other has done part 3' }).waitFor();
      await journey.picture('timeline-story');
      await frame.locator('.picture').focus();
      await page.keyboard.press('Home');
      await workbench.statusIs(/back/);
      await playheadIs(frame, /back/);
      await keyboardIsBack(frame, 'picture');
      const atBegin = await frame.locator('.picture').getAttribute('aria-valuenow');
      await page.keyboard.press('Shift+ArrowRight');
      await playheadMoved(frame, atBegin);
      await journey.picture('timeline-by-checkpoint');
      await keyboardIsBack(frame, 'picture');
      await page.keyboard.press('ArrowRight');
      await workbench.stoppedAt(workspace.line('story', 'done'));
      await keyboardIsBack(frame, 'picture');
      await page.keyboard.press('Shift+ArrowLeft');
      await playheadIs(frame, /back/);
      await keyboardIsBack(frame, 'picture');
      await page.keyboard.press('End');
      await playheadIs(frame, /live/);
      await keyboardIsBack(frame, 'picture');
      await page.keyboard.press('+');
      await page.keyboard.press('+');
      await journey.picture('timeline-zoomed');
      await page.keyboard.press('0');
      // The list is reached by Tab, and a line of it by the arrow keys.
      await frame.locator('.list').focus();
      await page.keyboard.press('Home');
      for (let left = 60; left > 0; left--) {
        const id = await frame.locator('.list').getAttribute('aria-activedescendant');
        const text = await frame.locator(`#${id}`).innerText();
        if (text.includes('round 2 of 4')) break;
        await page.keyboard.press('ArrowDown');
      }
      await page.keyboard.press('Enter');
      await workbench.statusIs(/back/);
      await page
        .locator('.debug-call-stack .monaco-list-row', { hasText: 'main' })
        .filter({ hasText: String(workspace.line('story', 'say')) })
        .waitFor();
      const findings = await axe(frame);
      assert.deepEqual(findings, []);
      await journey.picture('timeline-listed');
      await workbench.stopDebugging();
    },
  },
  {
    name: 'the Timeline view shows a branch as a lane of its own',
    programs: ['story'],
    adapter: 'real',
    async walk(journey) {
      const { workbench, workspace } = journey;
      await startAt(journey, 'story', 'done');
      const frame = await openTimeline(workbench);
      await frame.locator('.list .output', { hasText: 'round 3 of 4' }).click();
      await playheadIs(frame, /back/);
      await workbench.command('Chronofork: Run On From Here');
      await playheadIs(frame, /live.*Branch 1/);
      await workbench.press('Continue');
      await workbench.stoppedAt(workspace.line('story', 'done'));
      await frame.locator('.list .output', { hasText: 'round 4 of 4' }).waitFor();
      const summary = (await frame.locator('#summary').textContent()) ?? '';
      assert.match(summary, /First run: .*Branch 1: /);
      await journey.picture('timeline-branch');
      await workbench.stopDebugging();
    },
  },
  {
    name: 'a line of output in the debug console leads to the moment when it was written',
    programs: ['story'],
    adapter: 'real',
    async walk(journey) {
      const { workbench, workspace } = journey;
      const { page } = workbench;
      await startAt(journey, 'story', 'done');
      await workbench.command('Debug Console: Focus on Debug Console View');
      const line = page.locator('.repl .output .value', { hasText: 'round 2 of 4' });
      await line.waitFor();
      await journey.picture('console');
      await line
        .locator('a, .link')
        .first()
        .click({ modifiers: ['Control'] });
      await workbench.statusIs(/back/);
      await page
        .locator('.debug-call-stack .monaco-list-row', { hasText: 'main' })
        .filter({ hasText: String(workspace.line('story', 'say')) })
        .waitFor();
      await journey.picture('console-travelled');
      await workbench.stopDebugging();
    },
  },
  {
    name: 'the Timeline view draws a hundred thousand marks',
    programs: ['account'],
    adapter: 'real',
    async walk(journey) {
      const { workbench } = journey;
      await startAt(journey, 'account', 'first');
      const frame = await openTimeline(workbench);
      await playheadIs(frame, /live/);
      const figures = await frame.evaluate(measureMarks, 100_000);
      console.log(
        `        100,000 marks: first picture ${figures.firstMs.toFixed(0)} ms, ` +
          `${figures.framesPerSecond.toFixed(0)} frames a second while zooming`,
      );
      await journey.picture('timeline-100000');
      await workbench.stopDebugging();
    },
  },
];

/**
 * VS Code gives the editor the keyboard at a stop; the view takes it back, and keeps it.
 * @param {import('playwright-core').Frame} frame
 * @param {'picture' | 'list'} element
 */
async function keyboardIsBack(frame, element) {
  const has = (/** @type {string} */ name) => document.hasFocus() && document.activeElement?.className === name;
  for (let left = 100, held = 0; left > 0; left--, await frame.waitForTimeout(100)) {
    held = (await frame.evaluate(has, element)) ? held + 1 : 0;
    if (held === 8) return;
  }
  assert.fail(`the keyboard does not come back to the ${element}`);
}

/**
 * @param {import('playwright-core').Frame} frame
 * @param {string | null} from
 */
async function playheadMoved(frame, from) {
  for (let left = 150; left > 0; left--, await frame.waitForTimeout(100))
    if ((await frame.locator('.picture').getAttribute('aria-valuenow')) !== from) return;
  assert.fail('the playhead does not move');
}

/**
 * Serious and critical findings of axe in the view's page.
 * @param {import('playwright-core').Frame} frame
 * @returns {Promise<string[]>}
 */
async function axe(frame) {
  await frame.evaluate(readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
  return frame.evaluate(async () => {
    const { violations } = await /** @type {any} */ (window).axe.run(document);
    const serious = violations.filter((/** @type {any} */ one) => ['serious', 'critical'].includes(one.impact));
    return serious.map(
      (/** @type {any} */ one) => `${one.id}: ${one.nodes.map((/** @type {any} */ node) => node.html)}`,
    );
  });
}

/**
 * In the page: a message with so many marks, then a second of zooming in and out.
 * @param {number} count
 */
async function measureMarks(count) {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const kinds = ['output', 'threadSwitch', 'signal', 'stop'];
  const marks = Array.from({ length: count }, (_, index) => ({
    kind: kinds[index % 100 === 0 ? 3 : index % 10 === 0 ? 2 : index % 2],
    event: index,
    timeMs: index / 10 + Math.sin(index / 500) * 20 + 20,
    threadId: 1,
    other: 2,
    stream: 'stdout',
    text: `line ${index}`,
    bytes: 10,
    signal: 'SIGUSR1',
    handled: true,
    reason: 'step',
    moment: index,
  })).sort((a, b) => a.timeMs - b.timeMs);
  const extent = { fromEvent: 0, toEvent: count, fromMs: 0, toMs: count / 10 + 40 };
  const threads = [1, 2, 3].map((threadId) => ({
    threadId,
    busyMs: Array.from({ length: 400 }, () => Math.random() * 20),
  }));
  const memory = Array.from({ length: 100 }, (_, index) => ({
    fromMs: index * 100,
    toMs: index * 100 + 100,
    bytes: Math.random() * 1e7,
  }));
  const lane = { branch: 0, name: 'First run', fromEvent: 0, marks, extent, memory, threads };
  performance.clearMeasures();
  window.dispatchEvent(new MessageEvent('message', { data: { type: 'lanes', lanes: [lane] } }));
  while (performance.getEntriesByName('chronofork/picture').length === 0) await frame();
  const firstMs = performance.getEntriesByName('chronofork/picture')[0]?.duration ?? 0;
  const picture = /** @type {HTMLElement} */ (document.querySelector('.picture'));
  const box = picture.getBoundingClientRect();
  let frames = 0;
  performance.clearMeasures();
  const began = performance.now();
  while (performance.now() - began < 1000) {
    const deltaY = frames % 60 < 30 ? -20 : 20;
    picture.dispatchEvent(
      new WheelEvent('wheel', { deltaY, ctrlKey: true, clientX: box.left + 400, clientY: box.top + 40 }),
    );
    await frame();
    frames++;
  }
  return { firstMs, framesPerSecond: (frames * 1000) / (performance.now() - began) };
}
