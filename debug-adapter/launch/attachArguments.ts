/** The arguments of `attach`, checked. */
import { ChronoforkError } from '../errors.js';
import {
  absolute,
  isObject,
  isString,
  optional,
  sessionConfig,
  wrong,
  type Raw,
  type SessionConfig,
} from './options.js';

/** How a child that another session follows is found again: see family.ts. */
export interface FamilyTie {
  /** Where the parent's session listens. */
  socket: string;
  /** The process of the parent's session. */
  adapter: number;
  /** Where it stands: where fork returned, before a program's first instruction, or anywhere. */
  began: 'fork' | 'exec' | 'earlier';
}

export interface AttachConfig extends SessionConfig {
  pid: number;
  /** Whose symbols to read; undefined: what the process says that it runs. */
  program: string | undefined;
  /** Set for a child of a program that another session debugs. */
  family: FamilyTie | undefined;
}

function processNumber(given: Raw): number {
  const option = given.pid === undefined && given.processId !== undefined ? 'processId' : 'pid';
  const value = given[option];
  if (value === undefined || value === '')
    throw new ChronoforkError(
      'invalidLaunch',
      'The attach option "pid" is missing.',
      'Set it to the number of the process, or to "${command:pickProcess}" in VS Code.',
    );
  // What a command of VS Code puts in is a string.
  const pid = isString(value) && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof pid !== 'number' || !Number.isInteger(pid) || pid <= 0 || pid > 0x7fffffff)
    throw wrong(option, 'the number of a process', value);
  return pid;
}

function familyTie(given: Raw): FamilyTie | undefined {
  const tie = given.__family;
  if (!isObject(tie) || !isString(tie.socket) || typeof tie.adapter !== 'number') return undefined;
  const began = tie.began === 'fork' || tie.began === 'exec' ? tie.began : 'earlier';
  return { socket: tie.socket, adapter: tie.adapter, began };
}

/** @throws ChronoforkError 'invalidLaunch' */
export function checkAttachArguments(given: unknown): AttachConfig {
  if (!isObject(given)) throw wrong('arguments', 'an object', given);
  const program = optional(given, 'program', 'the path of an executable', isString, '');
  return {
    // A program that runs is stopped by being attached to, and that is mostly why one attaches.
    ...sessionConfig(given, { stopOnEntry: true }),
    pid: processNumber(given),
    program: program ? absolute(program, process.cwd()) : undefined,
    family: familyTie(given),
  };
}
