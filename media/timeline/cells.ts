/**
 * The level of detail: of a hundred thousand items as many as there are places
 * for them on the screen. Items that would be drawn over each other become one
 * cell, which knows how many they are. Pure; linear in what is in sight, and
 * allocates nothing for each item.
 */
import { firstFrom, timeOf, type Item } from './model.js';
import type { Viewport } from './viewport.js';

/**
 * Calls `draw` for each place of `width_px` that holds items, from left to right.
 *
 * @returns how many cells there were
 */
export function eachCell(
  items: readonly Item[],
  viewport: Viewport,
  width_px: number,
  draw: (x: number, count: number, first: Item) => void,
): number {
  const { fromMs, toMs } = viewport.span;
  const perMs = viewport.width / (toMs - fromMs);
  const reachMs = width_px / perMs;
  let cells = 0;
  let first: Item | undefined;
  let count = 0;
  let cell = 0;
  const end = () => {
    if (!first) return;
    draw(viewport.left + cell * width_px, count, first);
    cells++;
  };
  for (let at = firstFrom(items, fromMs - reachMs); at < items.length; at++) {
    const item = items[at]!;
    const time = timeOf(item);
    if (time > toMs + reachMs) break;
    const own = Math.round(((time - fromMs) * perMs) / width_px);
    if (first && own === cell) {
      count++;
      continue;
    }
    end();
    first = item;
    cell = own;
    count = 1;
  }
  end();
  return cells;
}
