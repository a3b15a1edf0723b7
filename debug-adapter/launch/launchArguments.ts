/** The arguments of `launch`, checked. */
import { ChronoforkError } from '../errors.js';
import {
  absolute,
  isBoolean,
  isObject,
  isOneOf,
  isString,
  isStrings,
  optional,
  sessionConfig,
  wrong,
  type Raw,
  type SessionConfig,
} from './options.js';

export interface LaunchConfig extends SessionConfig {
  program: string;
  args: string[];
  cwd: string;
  /** The whole environment of the debuggee. */
  env: Record<string, string>;
  console: 'internalConsole' | 'integratedTerminal';
  /** Absolute path of the file that becomes standard input. */
  stdin: string | undefined;
  disableAslr: boolean;
  /** The client shows the location of an output's value: lines of output can be links. */
  outputLinks: boolean;
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
  return {
    ...sessionConfig(given, { stopOnEntry: false }),
    program: absolute(program, cwd),
    args: optional(given, 'args', 'a list of strings', isStrings, []),
    cwd,
    env: environment(given),
    console: optional(
      given,
      'console',
      '"internalConsole" or "integratedTerminal"',
      isOneOf('internalConsole', 'integratedTerminal'),
      'internalConsole',
    ),
    stdin: stdin ? absolute(stdin, cwd) : undefined,
    disableAslr: optional(given, 'disableAslr', 'true or false', isBoolean, true),
    outputLinks: optional(given, '__outputLinks', 'true or false', isBoolean, false),
  };
}
