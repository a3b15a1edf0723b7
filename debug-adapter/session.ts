/**
 * One debug session with one client: takes each DAP request to its handler and
 * its answer back. The one place where errors become responses: a
 * ChronoforkError as a numbered DAP error with its remedy, anything else as a
 * bug, logged with its stack.
 *
 * Requests are handled side by side; gdb puts them in order.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { Event, Response } from '@vscode/debugadapter';
import { ProtocolServer } from '@vscode/debugadapter/lib/protocol.js';
import { pipeline, type Readable, type Writable } from 'node:stream';
import type { Client } from './client.js';
import { sendOutput } from './client.js';
import { isCompanions, type Host } from './companions/companion.js';
import { Companions } from './companions/companions.js';
import { RightOfWay } from './companions/rightOfWay.js';
import type { CoreModule } from './core/core.js';
import type { Debuggee, Ending } from './debuggee.js';
import { ChronoforkError, expectedError } from './errors.js';
import { GdbAhead, usualGdb } from './gdb/gdbStart.js';
import type { Context, Handlers } from './handlers.js';
import { Log } from './log.js';
import { breakpointHandlers } from './requests/breakpoints.js';
import { lifecycleHandlers } from './requests/lifecycle.js';
import { memoryHandlers } from './requests/memory.js';
import { programHandlers } from './requests/program.js';
import { queryHandlers } from './requests/queries.js';
import { stackHandlers } from './requests/stack.js';
import { stateHandlers } from './requests/states.js';
import { steppingHandlers } from './requests/stepping.js';
import { isTimeTravelRequest, timeTravelHandlers } from './requests/timeTravel.js';
import { variablesHandlers } from './requests/variables.js';
import { writeHandlers } from './requests/writes.js';
import { StrictFraming } from './strictFraming.js';

/**
 * What clients ask of their own accord, or show the error of in its place (a
 * hover, a row of variables). A notification for each would be noise: after a
 * quick row of steps VS Code still asks for the scopes of the stop before.
 */
const shownInPlace = new Set([
  'threads',
  'stackTrace',
  'scopes',
  'variables',
  'evaluate',
  'setVariable',
  'setExpression',
  'completions',
  'source',
  'loadedSources',
  'locations',
  'modules',
  'exceptionInfo',
  'dataBreakpointInfo',
  'readMemory',
  'writeMemory',
  'disassemble',
]);

function isPersonsWish(request: DebugProtocol.Request): boolean {
  return !isTimeTravelRequest(request) && !shownInPlace.has(request.command);
}

/** Where the client's own help for an error is: the option `errorUrl` of launch and attach, with `{code}` in it. */
function errorUrlOf({ command, arguments: args }: DebugProtocol.Request, code: string): Partial<DebugProtocol.Message> {
  const url: unknown = (args as Record<string, unknown> | undefined)?.errorUrl;
  if ((command !== 'launch' && command !== 'attach') || typeof url !== 'string') return {};
  const urlLabel: unknown = (args as Record<string, unknown>).errorUrlLabel;
  return { url: url.replace('{code}', code), ...(typeof urlLabel === 'string' ? { urlLabel } : {}) };
}

const log = new Log('dap');

const handlers: Handlers = {
  ...lifecycleHandlers,
  ...breakpointHandlers,
  ...steppingHandlers,
  ...stackHandlers,
  ...variablesHandlers,
  ...memoryHandlers,
  ...timeTravelHandlers,
  ...writeHandlers,
  ...stateHandlers,
  ...queryHandlers,
  ...programHandlers,
};

/** Of the client: these wait for no companion, and cut none short. */
const besideCompanions = new Set([
  'initialize',
  'cancel',
  'terminate',
  'disconnect',
  'chronofork/session',
  'chronofork/timeline',
  'chronofork/present',
]);

/** A client answers a reverse request (a terminal, mostly) within this, or never. */
const reverseRequestWithin_ms = 30_000;

export class Session extends ProtocolServer implements Client, Host {
  readonly rightOfWay = new RightOfWay(() => {
    const operation = this.debuggee_?.time.operation;
    if (operation && isCompanions(operation.requestId)) operation.cancel();
  });
  capabilities: DebugProtocol.InitializeRequestArguments = { adapterID: '' };
  private debuggee_: Debuggee | undefined;
  private launching = false;
  private terminated = false;
  private shutDown_: Promise<void> | undefined;
  private companions: Companions | undefined;
  private readonly gdbAhead = new GdbAhead();

  /**
   * @param loadCore  called at launch; what it throws becomes the launch's error
   * @param onEnd     the session is over and everything it had is gone
   */
  constructor(
    private readonly loadCore: () => CoreModule,
    private readonly onEnd: () => void,
  ) {
    super();
  }

  /** Speaks with a client over two streams until one of them ends. */
  serve(input: Readable, output: Writable): void {
    const framed = new StrictFraming();
    pipeline(input, framed, (error) => {
      // A client that is gone and one that speaks nonsense end the same way; the latter is told.
      if (error && error.constructor.name === 'MalformedMessage') this.refuseClient(error.message);
      else void this.end();
    });
    this.on('error', () => void this.end());
    this.start(framed, output);
  }

  send(event: string, body?: unknown): void {
    if (log.enabled('debug')) log.write('debug', `event ${event} ${JSON.stringify(body ?? {}).slice(0, 500)}`);
    if (event === 'terminated') this.terminated = true;
    this.sendEvent(new Event(event, body));
    this.companions?.tell(event, body);
  }

  tell(event: string, body: unknown): void {
    this.send(event, body);
  }

  request<T>(command: string, args: unknown, timeout_ms = reverseRequestWithin_ms): Promise<T> {
    return new Promise((resolve, reject) => {
      this.sendRequest(command, args, timeout_ms, (response) => {
        if (response.success) resolve(response.body as T);
        else
          reject(
            new ChronoforkError(
              'terminalFailed',
              `The client refused "${command}": ${response.message ?? 'no reason given'}`,
            ),
          );
      });
    });
  }

  /** Ends the debuggee and everything that belongs to the session. Harmless when done before. */
  shutDown(ending: Ending): Promise<void> {
    this.shutDown_ ??= this.disposeOfDebuggee(ending);
    return this.shutDown_;
  }

  /** The client is gone, or this process is asked to end. */
  async end(): Promise<void> {
    await this.shutDown(this.debuggee_?.usualEnding ?? 'kill');
    this.onEnd();
  }

  protected override dispatchRequest(request: DebugProtocol.Request): void {
    void this.handle(request);
  }

  private async handle(request: DebugProtocol.Request): Promise<void> {
    if (request.command === 'initialize') {
      this.capabilities = (request.arguments ?? {}) as DebugProtocol.InitializeRequestArguments;
      if (!this.debuggee_ && !this.launching && !this.shutDown_) this.gdbAhead.start(usualGdb);
    }
    const respond = () => this.respond(this, request.seq, request, (response) => this.sendResponse(response));
    await (besideCompanions.has(request.command) ? respond() : this.rightOfWay.first(respond));
    if (request.command === 'disconnect') this.onEnd();
  }

  answer(client: Client, requestId: number, request: DebugProtocol.Request): Promise<DebugProtocol.Response> {
    return new Promise((resolve) => void this.respond(client, requestId, request, resolve));
  }

  refuse(request: DebugProtocol.Request, error: ChronoforkError): DebugProtocol.Response {
    const response: DebugProtocol.Response = new Response(request);
    this.describeFailure(request, response, error);
    return response;
  }

  private async respond(
    client: Client,
    requestId: number,
    request: DebugProtocol.Request,
    send: (response: DebugProtocol.Response) => void,
  ): Promise<void> {
    if (log.enabled('debug'))
      log.write('debug', `request ${request.command} ${JSON.stringify(request.arguments ?? {}).slice(0, 500)}`);
    const later: (() => void)[] = [];
    const response: DebugProtocol.Response = new Response(request);
    try {
      const handler = Object.hasOwn(handlers, request.command) ? handlers[request.command] : undefined;
      if (!handler)
        throw new ChronoforkError('unknownRequest', `Chronofork does not know the request "${request.command}".`);
      const context = this.contextFor(client, requestId, later);
      response.body = await handler(context, (request.arguments ?? {}) as object, request);
    } catch (error) {
      this.describeFailure(request, response, error);
    }
    send(response);
    for (const action of later) action();
  }

  private describeFailure(request: DebugProtocol.Request, response: DebugProtocol.Response, error: unknown): void {
    const known = expectedError(error);
    if (!known) log.write('error', `${request.command}: ${error instanceof Error ? error.stack : String(error)}`);
    const told =
      known ??
      new ChronoforkError(
        'internal',
        `Chronofork failed at "${request.command}": ${String(error)}.`,
        'Please report this.',
      );
    response.success = false;
    response.message = told.text;
    response.body = {
      error: {
        id: told.number,
        format: told.text.replace(/[{}]/g, (bracket) => (bracket === '{' ? '(' : ')')),
        showUser: isPersonsWish(request),
        variables: { code: told.code },
        ...errorUrlOf(request, told.code),
      } satisfies DebugProtocol.Message,
    };
  }

  private contextFor(client: Client, requestId: number, later: (() => void)[]): Context {
    return {
      client,
      requestId,
      core: () => this.loadCore(),
      gdb: (path) => this.gdbAhead.take(path),
      debuggee: () => {
        if (!this.debuggee_ || this.debuggee_.over)
          throw new ChronoforkError('notLaunched', 'No program is being debugged.');
        return this.debuggee_;
      },
      launch: (start) => this.launchOnce(start),
      afterResponse: (action) => later.push(action),
      usualEnding: () => this.debuggee_?.usualEnding ?? 'kill',
      shutDown: (ending) => this.shutDown(ending),
    };
  }

  private async launchOnce(start: () => Promise<Debuggee>): Promise<void> {
    if (this.launching || this.debuggee_)
      throw new ChronoforkError(
        'alreadyLaunched',
        'This session has its program already.',
        'Start another session for another program.',
      );
    this.launching = true;
    try {
      this.debuggee_ = await start();
      // The client may have left while the program was being started.
      if (this.shutDown_) await this.debuggee_.dispose(this.debuggee_.usualEnding);
      else await this.welcomeCompanions(this.debuggee_);
    } finally {
      this.launching = false;
    }
  }

  /** They hear of each resume; the client, which asks for it, does not need to. */
  private async welcomeCompanions(debuggee: Debuggee): Promise<void> {
    this.companions = await Companions.open(this);
    debuggee.onLeave = () => this.companions?.tell('continued', { allThreadsContinued: true });
    debuggee.onQuietChange = () => this.companions?.tell('invalidated', { areas: ['variables'] });
    if (this.shutDown_) this.companions?.close();
  }

  private async disposeOfDebuggee(ending: Ending): Promise<void> {
    // One that does not answer shall hold up nothing: it ends when its input does.
    void this.gdbAhead.drop();
    const debuggee = this.debuggee_;
    if (debuggee && !debuggee.over) {
      const end = debuggee.core.endState();
      await debuggee.dispose(ending);
      if (ending === 'exit' && end.kind === 'exited') this.send('exited', { exitCode: end.exitCode });
      // As a shell would say it.
      if (ending === 'exit' && end.kind === 'signalled') this.send('exited', { exitCode: 128 + end.signal });
    }
    if (!this.terminated) this.send('terminated');
    this.companions?.close();
  }

  private refuseClient(why: string): void {
    log.write('error', `malformed DAP: ${why}`);
    sendOutput(
      this,
      'important',
      `The editor sent ${why}; this is not the Debug Adapter Protocol, so the session ends.\n`,
    );
    void this.end();
  }
}
