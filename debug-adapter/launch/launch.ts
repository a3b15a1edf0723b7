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
import { sendOutput } from '../client.js';
import type { Core } from '../core/core.js';
import { Debuggee } from '../debuggee.js';
import { ChronoforkError } from '../errors.js';
import { commandLine } from '../resources.js';
import type { Context } from '../handlers.js';
import { connectGdb, tellIfNoSymbols, tellNotices } from './connect.js';
import { InternalConsole, type Console } from './console.js';
import { OutputLinks } from '../timeline/outputLinks.js';
import { ProgramOutput } from '../timeline/programOutput.js';
import { Family } from './family.js';
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
  const gdb = await context.gdb(config.gdbPath);
  let console: Console | undefined;
  let core: Core | undefined;
  let family: Family | undefined;
  try {
    // == 3.
    const output = new ProgramOutput(config.console === 'integratedTerminal');
    const links = config.outputLinks
      ? new OutputLinks(output, (body) => context.client.send('output', body))
      : undefined;
    console = await openConsole(context, config, output, links);
    core = module.createCore();
    output.belongsTo(core);
    tellNotices(core, context.client);
    const followChildren = config.followChildren && Family.isPossible(context.client);
    if (followChildren) family = await Family.open(context.client, core, config);
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
        followChildren,
      }));
    } finally {
      console.launched();
    }
    // == 4.
    const debuggee = new Debuggee({
      client: context.client,
      config,
      program: config.program,
      gdb,
      core,
      console,
      output,
      ...(links ? { links } : {}),
      family,
      onGone: () => void context.shutDown('exit'),
    });
    await connectGdb(gdb, config, config.program, gdbSocket);
    await tellIfNoSymbols(gdb, config.program, context.client);
    await debuggee.begin();
    return debuggee;
  } catch (error) {
    family?.close({ alone: false });
    await core?.dispose({ letExit: false }).catch(() => undefined);
    await gdb.quit();
    await console?.close();
    throw error;
  }
}

function openConsole(
  context: Context,
  config: LaunchConfig,
  output: ProgramOutput,
  links: OutputLinks | undefined,
): Promise<Console> | Console {
  if (config.console === 'internalConsole')
    return new InternalConsole(context.core(), config.stdin, (category, text, bytes) => {
      output.read(category, bytes);
      if (links) links.show(category, text, bytes);
      else sendOutput(context.client, category, text);
    });
  if (!context.client.capabilities.supportsRunInTerminalRequest)
    throw new ChronoforkError(
      'terminalFailed',
      'This client cannot open a terminal for the program.',
      'Use "console": "internalConsole".',
    );
  const openTerminal = async (socket: string) => {
    await context.client.request('runInTerminal', {
      kind: 'integrated',
      title: 'Chronofork',
      cwd: config.cwd,
      args: [process.execPath, ...process.execArgv, commandLine(), 'tty-holder', socket],
      env: process.env.ELECTRON_RUN_AS_NODE ? { ELECTRON_RUN_AS_NODE: '1' } : {},
    });
  };
  return TerminalConsole.open(context.core(), openTerminal, (bytes) => output.read('stdout', bytes));
}
