/**
 * What launch and attach have in common: reading options of launch.json, each
 * with a sentence that names it, what it must be, and what it is.
 */
import { homedir } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import { ChronoforkError } from '../errors.js';
import { usualGdb } from '../gdb/gdbStart.js';
import type { OnEditedContinue } from '../protocol/timeTravel.js';

export interface SetupCommand {
  text: string;
  ignoreFailures: boolean;
}

/** What a debug session needs to know, however its program came to it. */
export interface SessionConfig {
  stopOnEntry: boolean;
  sourceMap: Record<string, string>;
  gdbPath: string;
  setupCommands: SetupCommand[];
  checkpointIntervalMs: number;
  checkpointMemoryMb: number;
  onEditedContinue: OnEditedContinue;
  /** Each process that the program starts becomes a session of its own. */
  followChildren: boolean;
  noDebug: boolean;
}

export type Raw = Record<string, unknown>;

export function wrong(option: string, expected: string, value: unknown): ChronoforkError {
  const shown = JSON.stringify(value) ?? String(value);
  return new ChronoforkError(
    'invalidLaunch',
    `The launch option "${option}" must be ${expected}, but is ${shown.slice(0, 80)}.`,
    'Correct it in launch.json.',
  );
}

export function optional<T>(
  raw: Raw,
  option: string,
  expected: string,
  check: (value: unknown) => value is T,
  fallback: T,
): T {
  const value = raw[option];
  if (value === undefined || value === null) return fallback;
  if (!check(value)) throw wrong(option, expected, value);
  return value;
}

export const isString = (value: unknown): value is string => typeof value === 'string';
export const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
export const isStrings = (value: unknown): value is string[] => Array.isArray(value) && value.every(isString);
export const isObject = (value: unknown): value is Raw =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0;

export function isOneOf<T extends string>(...allowed: T[]): (value: unknown) => value is T {
  return (value): value is T => allowed.includes(value as T);
}

function setupCommands(raw: Raw): SetupCommand[] {
  const list = optional(raw, 'setupCommands', 'a list of gdb commands', Array.isArray, []);
  return list.map((item: unknown, index) => {
    if (isString(item)) return { text: item, ignoreFailures: false };
    if (isObject(item) && isString(item.text)) return { text: item.text, ignoreFailures: item.ignoreFailures === true };
    throw wrong(`setupCommands[${index}]`, 'a string or an object with "text"', item);
  });
}

function sourceMap(raw: Raw): Record<string, string> {
  const map = optional(raw, 'sourceMap', 'an object of paths', isObject, {});
  for (const [from, to] of Object.entries(map)) if (!isString(to)) throw wrong(`sourceMap.${from}`, 'a path', to);
  return map as Record<string, string>;
}

function checkpoints(raw: Raw): { intervalMs: number; memoryMb: number } {
  const given = optional(raw, 'checkpoints', 'an object with intervalMs and memoryMb', isObject, {});
  return {
    intervalMs: optional(given, 'intervalMs', 'a number of milliseconds, 0 or more', isCount, 100),
    memoryMb: optional(given, 'memoryMb', 'a number of megabytes, 0 or more', isCount, 0),
  };
}

export function absolute(path: string, base: string): string {
  const expanded = path === '~' || path.startsWith('~/') ? homedir() + path.slice(1) : path;
  return isAbsolute(expanded) ? expanded : resolve(base, expanded);
}

/** @throws ChronoforkError 'invalidLaunch' */
export function sessionConfig(given: Raw, defaults: { stopOnEntry: boolean }): SessionConfig {
  const points = checkpoints(given);
  const noDebug = given.noDebug === true;
  return {
    stopOnEntry: optional(given, 'stopOnEntry', 'true or false', isBoolean, defaults.stopOnEntry) && !noDebug,
    sourceMap: sourceMap(given),
    gdbPath: optional(given, 'gdbPath', 'the path of gdb', isString, '') || usualGdb,
    setupCommands: setupCommands(given),
    // Nobody will go back.
    checkpointIntervalMs: noDebug ? 0 : points.intervalMs,
    checkpointMemoryMb: points.memoryMb,
    onEditedContinue: optional(
      given,
      'onEditedContinue',
      '"ask", "branch" or "discard"',
      isOneOf('ask', 'branch', 'discard'),
      'branch',
    ),
    followChildren: optional(given, 'followChildren', 'true or false', isBoolean, false) && !noDebug,
    noDebug,
  };
}
