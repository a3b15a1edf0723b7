/**
 * Makes a Chronofork configuration of one for another debugger: Microsoft's
 * cppdbg, CodeLLDB's lldb, LLVM's lldb-dap. What has no counterpart is told,
 * by name and with the reason; nothing is dropped silently. Pure: no vscode.
 */
import * as l10n from '@vscode/l10n';

export type Given = Readonly<Record<string, unknown>>;

export interface Converted {
  readonly configuration: Record<string, unknown>;
  /** What could not be taken over, as sentences. */
  readonly told: readonly string[];
}

export const convertibleTypes: readonly string[] = ['cppdbg', 'lldb', 'lldb-dap'];

/** Means the same to every debugger: VS Code itself looks at it. */
const common = [
  'preLaunchTask',
  'postDebugTask',
  'presentation',
  'internalConsoleOptions',
  'serverReadyAction',
  'linux',
];

/** Says nothing about the program: how the other debugger goes about its own work. */
const silent = [
  ...['type', 'request', 'name', 'MIMode', 'logging', 'sourceLanguages', 'showDisplayString', 'symbolSearchPath'],
  ...['avoidWindowsConsoleRedirection', 'requireExactSource', 'expressions', 'breakpointMode', 'displayFormat'],
  ...['windows', 'osx', 'timeout', 'enableAutoVariableSummaries', 'showDisassembly', 'dereferencePointers'],
];

class Conversion {
  readonly configuration: Record<string, unknown> = {};
  readonly told: string[] = [];
  private readonly used = new Set<string>([...silent]);

  constructor(private readonly given: Given) {}

  take(name: string): unknown {
    this.used.add(name);
    return this.given[name];
  }

  set(name: string, value: unknown): void {
    if (value !== undefined && value !== null && value !== '') this.configuration[name] = value;
  }

  copy(from: string, to = from): void {
    this.set(to, this.take(from));
  }

  tell(sentence: string): void {
    this.told.push(sentence);
  }

  /** Says of an attribute, if it is given, why it has no counterpart. */
  cannot(name: string, why: string): void {
    const value = this.take(name);
    if (value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)) return;
    this.tell(`“${name}”: ${why}`);
  }

  rest(): void {
    for (const [name, value] of Object.entries(this.given)) {
      if (this.used.has(name) || value === undefined || value === null) continue;
      this.tell(l10n.t('“{0}” is not known here and was left out.', name));
    }
  }
}

/** @throws Error with a sentence when nothing of it can be used */
export function convertLaunch(given: Given): Converted {
  const request = given.request ?? 'launch';
  if (request !== 'launch' && request !== 'attach')
    throw new Error(l10n.t('A request “{0}” has no counterpart: Chronofork launches and attaches.', String(request)));
  const conversion = new Conversion(given);
  conversion.set('type', 'chronofork');
  conversion.set('request', request);
  conversion.set('name', `${String(given.name ?? given.type)} (Chronofork)`);
  if (given.type === 'cppdbg') fromCppdbg(conversion);
  else if (given.type === 'lldb') fromCodeLldb(conversion);
  else fromLldbDap(conversion);
  for (const name of common) conversion.copy(name);
  conversion.rest();
  const { configuration, told } = conversion;
  if (request === 'launch' && configuration.program === undefined)
    throw new Error([l10n.t('It names no program.'), ...told].join(' '));
  if (request === 'attach' && configuration.pid === undefined) configuration.pid = '${command:pickProcess}';
  return { configuration, told };
}

function fromCppdbg(conversion: Conversion): void {
  conversion.copy('program');
  argumentsWithInput(conversion);
  conversion.copy('cwd');
  conversion.set('env', environmentOf(conversion.take('environment')));
  if (conversion.take('stopAtEntry') === true) conversion.set('stopOnEntry', true);
  if (conversion.take('externalConsole') === true) {
    conversion.set('console', 'integratedTerminal');
    conversion.tell(l10n.t('“externalConsole”: the program will run in VS Code’s own terminal.'));
  }
  const debuggerPath = conversion.take('miDebuggerPath');
  if (typeof debuggerPath === 'string' && /gdb[^/]*$/.test(debuggerPath)) conversion.set('gdbPath', debuggerPath);
  else if (debuggerPath)
    conversion.tell(l10n.t('“miDebuggerPath”: {0} is not a gdb; the usual one will be used.', String(debuggerPath)));
  conversion.set('setupCommands', setupCommandsOf(conversion.take('setupCommands')));
  conversion.set('sourceMap', sourceMapOf(conversion.take('sourceFileMap')));
  conversion.copy('processId', 'pid');
  conversion.cannot('envFile', l10n.t('write its variables into “env”.'));
  conversion.cannot('coreDumpPath', l10n.t('a core dump has no past to go back to; run the program instead.'));
  const remote = l10n.t(
    'Chronofork runs the program itself, on the machine where VS Code’s server runs (Remote-SSH, WSL, a dev container).',
  );
  for (const name of [
    'miDebuggerServerAddress',
    'pipeTransport',
    'debugServerPath',
    'debugServerArgs',
    'useExtendedRemote',
  ])
    conversion.cannot(name, remote);
  const ownWay = l10n.t(
    'Chronofork starts the program in its own way; use “setupCommands” for what gdb shall do before.',
  );
  for (const name of [
    'customLaunchSetupCommands',
    'launchCompleteCommand',
    'postRemoteConnectCommands',
    'miDebuggerArgs',
    'additionalSOLibSearchPath',
    'visualizerFile',
    'symbolLoadInfo',
    'hardwareBreakpoints',
    'filterStderr',
    'filterStdout',
    'targetArchitecture',
    'stopAtConnect',
  ])
    conversion.cannot(name, ownWay);
}

/** cppdbg hands its arguments to a shell: `<` and a file are the standard input. */
function argumentsWithInput(conversion: Conversion): void {
  const given = conversion.take('args');
  if (!Array.isArray(given)) return;
  const args = given.map(String);
  const at = args.findIndex((argument) => argument.startsWith('<'));
  if (at >= 0) {
    const attached = args[at]!.length > 1;
    conversion.set('stdin', attached ? args[at]!.slice(1) : args[at + 1]);
    args.splice(at, attached ? 1 : 2);
  }
  if (args.some((argument) => /^[>|]/.test(argument)))
    conversion.tell(l10n.t('“args”: no shell reads them here, so that > and | are ordinary arguments.'));
  if (args.length > 0) conversion.set('args', args);
}

function environmentOf(given: unknown): Record<string, string> | undefined {
  if (!Array.isArray(given) || given.length === 0) return undefined;
  return Object.fromEntries(
    given.map((one: { name?: unknown; value?: unknown }) => [String(one.name), String(one.value ?? '')]),
  );
}

function setupCommandsOf(given: unknown): unknown[] | undefined {
  if (!Array.isArray(given)) return undefined;
  // Switched on here anyway.
  const wanted = given.filter((one: { text?: unknown }) => !/^-enable-pretty-printing/.test(String(one.text ?? one)));
  return wanted.length > 0 ? wanted : undefined;
}

function sourceMapOf(given: unknown): Record<string, string> | undefined {
  const pairs = Array.isArray(given)
    ? given.map(([from, to]: [unknown, unknown]) => [String(from), String(to)])
    : Object.entries((given ?? {}) as Record<string, unknown>).map(([from, to]) => [
        from,
        typeof to === 'object' && to !== null ? String((to as { editorPath?: unknown }).editorPath) : String(to),
      ]);
  return pairs.length > 0 ? (Object.fromEntries(pairs) as Record<string, string>) : undefined;
}

function lldbCommands(conversion: Conversion): void {
  const why = l10n.t('these are commands of lldb’s; write those of gdb’s that you need into “setupCommands”.');
  for (const name of [
    'initCommands',
    'targetCreateCommands',
    'preRunCommands',
    'processCreateCommands',
    'postRunCommands',
    'preTerminateCommands',
    'exitCommands',
    'stopCommands',
    'launchCommands',
    'attachCommands',
    'preInitCommands',
    'terminateCommands',
    'postDebugCommands',
  ])
    conversion.cannot(name, why);
  conversion.cannot('waitFor', l10n.t('Chronofork attaches to a process that runs already.'));
}

function fromCodeLldb(conversion: Conversion): void {
  conversion.copy('program');
  const args = conversion.take('args');
  if (typeof args === 'string' && args.trim() !== '') {
    conversion.set('args', args.trim().split(/\s+/));
    conversion.tell(l10n.t('“args” was one string and was split at its blanks; check it where quotes are used.'));
  } else if (Array.isArray(args) && args.length > 0) conversion.set('args', args);
  conversion.copy('cwd');
  conversion.copy('env');
  if (conversion.take('stopOnEntry') === true) conversion.set('stopOnEntry', true);
  const terminal = conversion.take('terminal');
  if (terminal === 'integrated' || terminal === 'external') conversion.set('console', 'integratedTerminal');
  const stdio = conversion.take('stdio');
  const input: unknown = Array.isArray(stdio) ? stdio[0] : stdio;
  if (typeof input === 'string') conversion.set('stdin', input);
  if (Array.isArray(stdio) && stdio.slice(1).some(Boolean))
    conversion.tell(l10n.t('“stdio”: output goes to the debug console, not into files.'));
  conversion.set('sourceMap', sourceMapOf(conversion.take('sourceMap')));
  conversion.copy('pid');
  conversion.cannot(
    'cargo',
    l10n.t('name the built program (target/debug/…) as “program”, and build it with a “preLaunchTask”.'),
  );
  conversion.cannot('envFile', l10n.t('write its variables into “env”.'));
  conversion.cannot('relativePathBase', l10n.t('use “sourceMap”.'));
  lldbCommands(conversion);
}

function fromLldbDap(conversion: Conversion): void {
  conversion.copy('program');
  conversion.copy('args');
  conversion.copy('cwd');
  const env = conversion.take('env');
  if (Array.isArray(env))
    conversion.set(
      'env',
      Object.fromEntries(env.map((one) => [String(one).split('=')[0], String(one).split('=').slice(1).join('=')])),
    );
  else conversion.set('env', env);
  if (conversion.take('stopOnEntry') === true) conversion.set('stopOnEntry', true);
  if (conversion.take('runInTerminal') === true) conversion.set('console', 'integratedTerminal');
  if (conversion.take('console') === 'integratedTerminal') conversion.set('console', 'integratedTerminal');
  conversion.set('sourceMap', sourceMapOf(conversion.take('sourceMap')));
  conversion.copy('pid');
  conversion.cannot('coreFile', l10n.t('a core dump has no past to go back to; run the program instead.'));
  lldbCommands(conversion);
}
