/**
 * The arguments of `launch`, checked: what is wrong is said in one sentence
 * that names the option, what it must be, and what it is.
 */
import { homedir } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import { ChronoforkError } from '../errors.js';
import type { OnEditedContinue } from '../protocol/timeTravel.js';

export interface SetupCommand {
  text: string;
  ignoreFailures: boolean;
}

export interface LaunchConfig {
  program: string;
  args: string[];
  cwd: string;
  /** The whole environment of the debuggee. */
  env: Record<string, string>;
  stopOnEntry: boolean;
  console: 'internalConsole' | 'integratedTerminal';
  /** Absolute path of the file that becomes standard input. */
  stdin: string | undefined;
  sourceMap: Record<string, string>;
  gdbPath: string;
  setupCommands: SetupCommand[];
  disableAslr: boolean;
  checkpointIntervalMs: number;
  checkpointMemoryMb: number;
  onEditedContinue: OnEditedContinue;
  noDebug: boolean;
}

type Raw = Record<string, unknown>;

function wrong(option: string, expected: string, value: unknown): ChronoforkError {
  const shown = JSON.stringify(value) ?? String(value);
  return new ChronoforkError(
    'invalidLaunch',
    `The launch option "${option}" must be ${expected}, but is ${shown.slice(0, 80)}.`,
    'Correct it in launch.json.',
  );
}

function optional<T>(
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

const isString = (value: unknown): value is string => typeof value === 'string';
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
const isStrings = (value: unknown): value is string[] => Array.isArray(value) && value.every(isString);
const isObject = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;

function isOneOf<T extends string>(...allowed: T[]): (value: unknown) => value is T {
  return (value): value is T => allowed.includes(value as T);
}

/** `env` of launch.json over our own environment; null removes a variable. */
function environment(raw: Raw): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) result[name] = value;
  // What was set for the adapter alone is not the debuggee's business.
  for (const name of Object.keys(result))
    if (name.startsWith('CHRONOFORK_') || name === 'ELECTRON_RUN_AS_NODE') delete result[name];
  const env = optional(raw, 'env', 'an object of strings', isObject, {});
  for (const [name, value] of Object.entries(env)) {
    if (value === null) delete result[name];
    else if (isString(value) && !value.includes('\0') && !name.includes('=')) result[name] = value;
    else throw wrong(`env.${name}`, 'a string, or null to remove it', value);
  }
  return result;
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

function absolute(path: string, base: string): string {
  const expanded = path === '~' || path.startsWith('~/') ? homedir() + path.slice(1) : path;
  return isAbsolute(expanded) ? expanded : resolve(base, expanded);
}

/** @throws ChronoforkError 'invalidLaunch' */
export function checkLaunchArguments(given: unknown): LaunchConfig {
  if (!isObject(given)) throw wrong('arguments', 'an object', given);
  const program = given.program;
  if (program === undefined || program === '')
    throw new ChronoforkError(
      'invalidLaunch',
      'The launch option "program" is missing.',
      'Set it to the path of the executable to debug.',
    );
  if (!isString(program) || program.includes('\0')) throw wrong('program', 'the path of an executable', program);
  const cwd = absolute(optional(given, 'cwd', 'a folder', isString, process.cwd()), process.cwd());
  const stdin = optional(given, 'stdin', 'the path of a file', isString, '');
  const points = checkpoints(given);
  const noDebug = given.noDebug === true;
  return {
    program: absolute(program, cwd),
    args: optional(given, 'args', 'a list of strings', isStrings, []),
    cwd,
    env: environment(given),
    stopOnEntry: optional(given, 'stopOnEntry', 'true or false', isBoolean, false) && !noDebug,
    console: optional(
      given,
      'console',
      '"internalConsole" or "integratedTerminal"',
      isOneOf('internalConsole', 'integratedTerminal'),
      'internalConsole',
    ),
    stdin: stdin ? absolute(stdin, cwd) : undefined,
    sourceMap: sourceMap(given),
    gdbPath: optional(given, 'gdbPath', 'the path of gdb', isString, '') || 'gdb',
    setupCommands: setupCommands(given),
    disableAslr: optional(given, 'disableAslr', 'true or false', isBoolean, true),
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
    noDebug,
  };
}
