/**
 * Checks a launch configuration before anything is started, so that a mistake
 * in launch.json is a readable sentence and not a session that dies. Pure but
 * for looking at the file system; no vscode.
 *
 * It checks what launch.json can get wrong (types, values, paths). Whether the
 * program can be debugged on this machine is the adapter's to say.
 */
import * as l10n from '@vscode/l10n';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import path from 'node:path';

/** Something wrong: which attribute, and a sentence for the user. */
export interface LaunchProblem {
  readonly attribute: string;
  readonly message: string;
}

/** A launch configuration as it comes from launch.json: nothing about it can be believed. */
export type UncheckedLaunch = Readonly<Record<string, unknown>>;

/** Undefined when the value is right, else what it must be. */
type Check = (value: unknown) => string | undefined;

const aString: Check = (value) => (typeof value === 'string' ? undefined : l10n.t('a string'));
const aBoolean: Check = (value) => (typeof value === 'boolean' ? undefined : l10n.t('true or false'));
const strings: Check = (value) =>
  Array.isArray(value) && value.every((item) => typeof item === 'string') ? undefined : l10n.t('a list of strings');

function oneOf(...choices: string[]): Check {
  const list = (): string =>
    choices.map((choice) => `"${choice}"`).reduce((all, one) => l10n.t('{0} or {1}', all, one));
  return (value) => (typeof value === 'string' && choices.includes(value) ? undefined : list());
}

function atLeast(minimum: number, unit: () => string): Check {
  return (value) =>
    typeof value === 'number' && Number.isFinite(value) && value >= minimum
      ? undefined
      : l10n.t('a number of {0}, {1} or more', unit(), minimum);
}

function mapTo(description: () => string, allowed: (value: unknown) => boolean): Check {
  return (value) => (isRecord(value) && Object.values(value).every(allowed) ? undefined : description());
}

const setupCommands: Check = (value) =>
  Array.isArray(value) &&
  value.every((item) => typeof item === 'string' || (isRecord(item) && typeof item.text === 'string'))
    ? undefined
    : l10n.t('a list of gdb commands: strings, or objects with "text"');

const aProcess: Check = (value) =>
  (typeof value === 'number' && Number.isInteger(value) && value > 0) ||
  (typeof value === 'string' && /^(\d+|\$\{.+\})$/.test(value))
    ? undefined
    : l10n.t('the number of a process, or "{0}"', '${command:pickProcess}');

const common: Readonly<Record<string, Check>> = {
  program: aString,
  stopOnEntry: aBoolean,
  sourceMap: mapTo(
    () => l10n.t('an object of strings: the folder when it was built → the folder now'),
    (item) => typeof item === 'string',
  ),
  gdbPath: aString,
  setupCommands,
  'checkpoints.intervalMs': atLeast(0, () => l10n.t('milliseconds')),
  'checkpoints.memoryMb': atLeast(0, () => l10n.t('megabytes')),
  onEditedContinue: oneOf('ask', 'branch', 'discard'),
  followChildren: aBoolean,
};

const checksFor: Readonly<Record<'launch' | 'attach', Readonly<Record<string, Check>>>> = {
  launch: {
    ...common,
    args: strings,
    cwd: aString,
    env: mapTo(
      () => l10n.t('an object of strings; null removes a variable'),
      (item) => typeof item === 'string' || item === null,
    ),
    console: oneOf('internalConsole', 'integratedTerminal'),
    stdin: aString,
    disableAslr: aBoolean,
  },
  attach: { ...common, pid: aProcess, processId: aProcess },
};

/** The attributes that are checked, `a.b` for one inside another; package.json describes the same ones. */
export function checkedAttributes(request: 'launch' | 'attach'): string[] {
  return Object.keys(checksFor[request]);
}

/** Every problem that can be seen without looking at the disk, in the order of the attributes. */
export function checkAttributes(launch: UncheckedLaunch): LaunchProblem[] {
  const problems: LaunchProblem[] = [];
  const { request } = launch;
  if (request !== 'launch' && request !== 'attach')
    return [{ attribute: 'request', message: l10n.t('"request" must be "launch" or "attach".') }];
  if (request === 'launch' && (launch.program === undefined || launch.program === '')) {
    problems.push({
      attribute: 'program',
      message: l10n.t('"program" is missing: the path of the executable to debug.'),
    });
  }
  if (launch.checkpoints !== undefined && !isRecord(launch.checkpoints)) {
    problems.push({
      attribute: 'checkpoints',
      message: l10n.t('"checkpoints" must be an object, such as {0}.', '{ "intervalMs": 100 }'),
    });
  }
  for (const [attribute, check] of Object.entries(checksFor[request])) {
    const value = attributeValue(launch, attribute);
    if (value === undefined || value === '') continue;
    const expected = check(value);
    if (expected)
      problems.push({
        attribute,
        message: l10n.t('"{0}" must be {1}; it is {2}.', attribute, expected, shortJson(value)),
      });
  }
  return problems;
}

/** Problems of the paths; only for a configuration that `checkAttributes` finds right and whose variables are resolved. */
export async function checkPaths(launch: UncheckedLaunch): Promise<LaunchProblem[]> {
  const cwd = typeof launch.cwd === 'string' && launch.cwd !== '' ? launch.cwd : undefined;
  const checked = [
    launch.program ? checkProgram(resolvePath(launch.program as string, cwd)) : undefined,
    cwd === undefined ? undefined : checkFolder(cwd),
    launch.stdin ? checkReadableFile('stdin', resolvePath(launch.stdin as string, cwd)) : undefined,
    isPath(launch.gdbPath) ? checkExecutable('gdbPath', launch.gdbPath, l10n.t('Is gdb installed there?')) : undefined,
  ];
  return (await Promise.all(checked)).filter((problem) => problem !== undefined);
}

async function checkProgram(program: string): Promise<LaunchProblem | undefined> {
  const problem = await checkExecutable('program', program, l10n.t('Has it been built?'));
  if (problem || !/\.(c|cc|cpp|cxx|h|hpp|rs|o|a)$/.test(program)) return problem;
  return {
    attribute: 'program',
    message: l10n.t('"program" is {0}: that is not a program. Name the built executable.', program),
  };
}

async function checkExecutable(attribute: string, file: string, hint: string): Promise<LaunchProblem | undefined> {
  const found = await stat(file).catch(() => undefined);
  if (!found)
    return { attribute, message: `${l10n.t('"{0}" names a file that does not exist: {1}.', attribute, file)} ${hint}` };
  if (found.isDirectory())
    return { attribute, message: l10n.t('"{0}" names a folder, not a program: {1}.', attribute, file) };
  const executable = await access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
  return executable
    ? undefined
    : {
        attribute,
        message: l10n.t('"{0}" names a file that may not be executed: {1}. Try: chmod +x {1}', attribute, file),
      };
}

async function checkFolder(folder: string): Promise<LaunchProblem | undefined> {
  const found = await stat(folder).catch(() => undefined);
  return found?.isDirectory()
    ? undefined
    : { attribute: 'cwd', message: l10n.t('"cwd" names a folder that does not exist: {0}.', folder) };
}

async function checkReadableFile(attribute: string, file: string): Promise<LaunchProblem | undefined> {
  const readable = await access(file, constants.R_OK).then(
    () => true,
    () => false,
  );
  return readable
    ? undefined
    : { attribute, message: l10n.t('"{0}" names a file that cannot be read: {1}.', attribute, file) };
}

function attributeValue(launch: UncheckedLaunch, attribute: string): unknown {
  const [first, second] = attribute.split('.') as [string, string?];
  const value = launch[first];
  if (second === undefined) return value;
  return isRecord(value) ? value[second] : undefined;
}

/** A bare name such as `gdb` is looked for on PATH later; only a path is checked here. */
function isPath(value: unknown): value is string {
  return typeof value === 'string' && value.includes('/');
}

function resolvePath(file: string, folder: string | undefined): string {
  return path.isAbsolute(file) || folder === undefined ? file : path.join(folder, file);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shortJson(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length > 40 ? `${json.slice(0, 37)}…` : json;
}
