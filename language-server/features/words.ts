/** How numbers, times and places are said. Pure. */
import { basename } from 'node:path';
import type { CodeLocation, Moment } from '../../debug-adapter/protocol/timeTravel.js';

/** 1,234 without the machine's language having a say: what is shown is the same everywhere. */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

export function timesText(count: number): string {
  if (count === 0) return 'never';
  return count === 1 ? 'once' : `${countText(count)} times`;
}

/** The run time at a moment. */
export function timeText({ timeMs }: Pick<Moment, 'timeMs'>): string {
  return timeMs < 1000 ? `${timeMs.toFixed(1)} ms` : `${(timeMs / 1000).toFixed(3)} s`;
}

export function placeText({ function: name, path, line, module }: CodeLocation): string {
  const file = path ? `${basename(path)}:${line ?? '?'}` : module ? basename(module) : undefined;
  if (name && file) return `${name} (${file})`;
  return name ?? file ?? 'an unknown place';
}

/** At the end of a line there is room for so much. */
export function shortened(text: string, most = 60): string {
  const flat = text.replace(/\s+/g, ' ');
  return flat.length <= most ? flat : `${flat.slice(0, most - 1)}…`;
}
