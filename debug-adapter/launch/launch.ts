/**
 * Starts a debuggee:
 *
 *   == 1. check what can be checked before anything is started
 *   == 2. gdb, so that an unfit one is refused first
 *   == 3. the debuggee's console, and the debuggee under the core
 *   == 4. gdb connects to the core
 *
 * What was started is ended again if a later step fails.
 */
import { sendOutput, type Client } from '../client.js';
import type { Core } from '../core/core.js';
import { Debuggee } from '../debuggee.js';
import { ChronoforkError } from '../errors.js';
import { startGdb } from '../gdb/gdbStart.js';
import type { MiConnection } from '../gdb/miConnection.js';
import { quoteMi, text, tuples } from '../gdb/miParser.js';
import { commandLine } from '../resources.js';
import type { Context } from '../handlers.js';
import { InternalConsole, type Console } from './console.js';
import type { LaunchConfig } from './launchArguments.js';
import { checkFolder, checkProgram } from './programCheck.js';
import { TerminalConsole } from './terminal.js';

/** @throws ChronoforkError whatever the user can do something about */
export async function launchDebuggee(context: Context, config: LaunchConfig): Promise<Debuggee> {
  // == 1.
  checkProgram(config.program);
  checkFolder(config.cwd);
  const module = context.core();
  // == 2.
  const { gdb } = await startGdb(config.gdbPath);
  let console: Console | undefined;
  let core: Core | undefined;
  try {
    // == 3.
    console = await openConsole(context, config);
    core = module.createCore();
    // Before the launch, which may have something to say itself.
    core.on('notice', (severity, message) => tellNotice(context.client, severity, message));
    let gdbSocket: string;
    try {
      ({ gdbSocket } = await core.launch({
        program: config.program,
        args: config.args,
        cwd: config.cwd,
        env: Object.entries(config.env).map(([name, value]) => `${name}=${value}`),
        stdio: console.stdio,
        controllingTerminal: console.controllingTerminal,
        disableAslr: config.disableAslr,
        checkpointIntervalMs: config.checkpointIntervalMs,
        checkpointMemoryBytes: config.checkpointMemoryMb * 1024 * 1024,
      }));
    } finally {
      console.launched();
    }
    // == 4.
    const debuggee = new Debuggee({
      client: context.client,
      config,
      gdb,
      core,
      console,
      onGone: () => void context.shutDown({ letExit: true }),
    });
    await connect(gdb, config, gdbSocket, context);
    await debuggee.begin();
    return debuggee;
  } catch (error) {
    await core?.dispose({ letExit: false }).catch(() => undefined);
    await gdb.quit();
    await console?.close();
    throw error;
  }
}

function openConsole(context: Context, config: LaunchConfig): Promise<Console> | Console {
  if (config.console === 'internalConsole')
    return new InternalConsole(context.core(), config.stdin, (category, text) =>
      sendOutput(context.client, category, text),
    );
  if (!context.client.capabilities.supportsRunInTerminalRequest)
    throw new ChronoforkError(
      'terminalFailed',
      'This client cannot open a terminal for the program.',
      'Use "console": "internalConsole".',
    );
  return TerminalConsole.open(context.core(), async (socket) => {
    await context.client.request('runInTerminal', {
      kind: 'integrated',
      title: 'Chronofork',
      cwd: config.cwd,
      args: [process.execPath, ...process.execArgv, commandLine(), 'tty-holder', socket],
      env: process.env.ELECTRON_RUN_AS_NODE ? { ELECTRON_RUN_AS_NODE: '1' } : {},
    });
  });
}

async function connect(gdb: MiConnection, config: LaunchConfig, gdbSocket: string, context: Context): Promise<void> {
  for (const [from, to] of Object.entries(config.sourceMap))
    await gdb.command(`-gdb-set substitute-path ${quoteMi(from)} ${quoteMi(to)}`);
  for (const setup of config.setupCommands) {
    try {
      await gdb.console(setup.text);
    } catch (error) {
      if (!setup.ignoreFailures) throw setupFailed(setup.text, error);
    }
  }
  await gdb.command(`-file-exec-and-symbols ${quoteMi(config.program)}`);
  await gdb.command(`-target-select remote ${gdbSocket}`);
  if (!(await hasSourceLines(gdb, config.program))) tellNoSymbols(context, config);
}

async function hasSourceLines(gdb: MiConnection, program: string): Promise<boolean> {
  const { known } = await gdb.call<{ known: boolean }>('main_has_lines');
  if (known) return true;
  const files = tuples(await gdb.command('-file-list-exec-source-files --group-by-objfile'), 'files');
  const own = files.find((file) => text(file, 'filename') === program);
  return own !== undefined && text(own, 'debug-info') !== 'none';
}

function tellNotice(client: Client, severity: 'info' | 'warning' | 'error', message: string): void {
  client.send('chronofork/notice', { severity, message });
  sendOutput(client, severity === 'info' ? 'console' : 'important', `${message}\n`);
}

function setupFailed(command: string, error: unknown): ChronoforkError {
  const why = error instanceof Error ? error.message : String(error);
  return new ChronoforkError(
    'gdbRefused',
    `gdb refused the setup command "${command}": ${why}`,
    'Correct "setupCommands", or give it as {"text": …, "ignoreFailures": true}.',
  );
}

function tellNoSymbols(context: Context, config: LaunchConfig): void {
  sendOutput(
    context.client,
    'important',
    `"${config.program}" has no debug information: stepping goes by instruction. Build it with -g to see its source.\n`,
  );
}
