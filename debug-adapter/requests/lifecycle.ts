/** initialize, launch, attach, configurationDone, terminate, disconnect, cancel. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { text, tuple } from '../gdb/miParser.js';
import type { Context, Handlers } from '../handlers.js';
import { attachDebuggee } from '../launch/attach.js';
import { checkAttachArguments } from '../launch/attachArguments.js';
import { checkLaunchArguments } from '../launch/launchArguments.js';
import { launchDebuggee } from '../launch/launch.js';
import { exceptionFilters } from './exceptions.js';

/** What is announced works; what is not here does not. */
const capabilities: DebugProtocol.Capabilities = {
  supportsConfigurationDoneRequest: true,
  supportsFunctionBreakpoints: true,
  supportsConditionalBreakpoints: true,
  supportsHitConditionalBreakpoints: true,
  supportsEvaluateForHovers: true,
  exceptionBreakpointFilters: exceptionFilters,
  supportsStepBack: true,
  supportsSetVariable: true,
  supportsSetExpression: true,
  supportsCompletionsRequest: true,
  completionTriggerCharacters: ['.', '>', ':', ' '],
  supportsModulesRequest: true,
  additionalModuleColumns: [],
  supportsExceptionInfoRequest: true,
  supportTerminateDebuggee: true,
  supportsDelayedStackTraceLoading: true,
  supportsLoadedSourcesRequest: true,
  supportsLogPoints: true,
  supportsTerminateRequest: true,
  supportsDataBreakpoints: true,
  supportsDataBreakpointBytes: true,
  supportsReadMemoryRequest: true,
  supportsWriteMemoryRequest: true,
  supportsDisassembleRequest: true,
  supportsCancelRequest: true,
  supportsBreakpointLocationsRequest: true,
  supportsSteppingGranularity: true,
  supportsSingleThreadExecutionRequests: true,
  supportsInstructionBreakpoints: true,
  supportsValueFormattingOptions: true,
};

async function initialize(): Promise<DebugProtocol.Capabilities> {
  return capabilities;
}

async function launch(context: Context, args: unknown): Promise<void> {
  const config = checkLaunchArguments(args);
  await context.launch(() => launchDebuggee(context, config));
  context.afterResponse(() => context.client.send('initialized'));
}

async function attach(context: Context, args: unknown): Promise<void> {
  const config = checkAttachArguments(args);
  await context.launch(() => attachDebuggee(context, config));
  context.afterResponse(() => context.client.send('initialized'));
}

/** All breakpoints are known now: let it run, or say that it stands. */
async function configurationDone(context: Context): Promise<void> {
  const debuggee = context.debuggee();
  const { gdb, config, attached } = debuggee;
  if (config.stopOnEntry && attached && attached.began !== 'exec') {
    const stop = attached.began === 'fork' ? { reason: 'entry' } : { reason: 'attach', description: 'Attached' };
    context.afterResponse(() => debuggee.background(() => debuggee.stops.reportPlain(stop.reason, stop.description)));
    return;
  }
  if (config.stopOnEntry) {
    const entry = await gdb.call<{ address: string | null; main: boolean }>('entry_point');
    const where = entry.main ? '--function main' : entry.address ? `*${entry.address}` : undefined;
    if (where) {
      const shown = tuple(await gdb.command(`-break-insert -t ${where}`), 'bkpt');
      debuggee.entryBreakpoint = parseInt(text(shown, 'number'), 10);
    }
  }
  context.afterResponse(() => debuggee.resume('-exec-continue'));
}

async function terminate(context: Context): Promise<void> {
  context.afterResponse(() => void context.shutDown('kill'));
}

/** A program that was attached to runs on, unless the client wants it ended; one that was launched cannot. */
async function disconnect(context: Context, args: DebugProtocol.DisconnectArguments): Promise<void> {
  const usual = context.usualEnding();
  const ending = usual === 'leave' && args.restart === true ? 'restart' : usual;
  await context.shutDown(args.terminateDebuggee === true ? 'kill' : ending);
}

/** Ends the way through time that is under way; one that has ended meanwhile is no error. */
async function cancel(context: Context, args: DebugProtocol.CancelArguments): Promise<void> {
  const { operation } = context.debuggee().time;
  if (operation?.isMeantBy(args)) operation.cancel();
}

export const lifecycleHandlers: Handlers = {
  initialize,
  launch,
  attach,
  configurationDone,
  terminate,
  disconnect,
  cancel,
};
