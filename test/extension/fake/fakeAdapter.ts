/**
 * A debug adapter that plays a scripted run (fakeRun.ts) and answers every
 * custom request of protocol/timeTravel.ts, so that the extension can be tried
 * without gdb and the core. It reads the real source file for its `//@` marks;
 * everything else is made up.
 *
 *     node fakeAdapter.cjs dap       DAP on stdio, as the real adapter speaks it
 */
import { readFileSync } from 'node:fs';
import {
  DebugSession,
  Event,
  InitializedEvent,
  OutputEvent,
  Source,
  StackFrame,
  StoppedEvent,
  TerminatedEvent,
  Thread,
} from '@vscode/debugadapter';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type {
  ArgumentsOf,
  Arrival,
  ResponseOf,
  Timeline,
  TimeTravelEvents,
  TimeTravelRequest,
} from '../../../debug-adapter/protocol/timeTravel.js';
import { FakeRun, scripts, type Direction, type ScriptedStop } from './fakeRun.js';

const threadId = 1;
const localsReference = 1;

type Handlers = Partial<{ [R in TimeTravelRequest]: (args: ArgumentsOf<R>) => ResponseOf<R> }>;

class FakeAdapter extends DebugSession {
  private run = new FakeRun(scripts.account!);
  private sourcePath = '';
  private lines = new Map<string, number>();
  private breakpoints = new Set<number>();
  private onEditedContinue = 'branch';
  private stopOnEntry = false;

  protected override initializeRequest(response: DebugProtocol.InitializeResponse): void {
    response.body = {
      supportsStepBack: true,
      supportsSetVariable: true,
      supportsConfigurationDoneRequest: true,
      supportsSteppingGranularity: true,
    };
    this.sendResponse(response);
    this.sendEvent(new InitializedEvent());
  }

  protected override launchRequest(
    response: DebugProtocol.LaunchResponse,
    args: DebugProtocol.LaunchRequestArguments,
  ): void {
    const launch = args as { program: string; onEditedContinue?: string; stopOnEntry?: boolean };
    const script = scripts[launch.program.split('/').pop() ?? ''];
    if (!script) {
      this.sendErrorResponse(response, 1, `No run is scripted for ${launch.program}.`);
      return;
    }
    this.run = new FakeRun(script);
    this.sourcePath = `${launch.program}.c`;
    this.lines = marksOf(this.sourcePath);
    this.onEditedContinue = launch.onEditedContinue ?? 'branch';
    this.stopOnEntry = launch.stopOnEntry ?? false;
    this.sendResponse(response);
  }

  protected override setBreakPointsRequest(
    response: DebugProtocol.SetBreakpointsResponse,
    args: DebugProtocol.SetBreakpointsArguments,
  ): void {
    if (args.source.path === this.sourcePath || this.sourcePath === '') {
      this.breakpoints = new Set(args.breakpoints?.map(({ line }) => line));
    }
    response.body = { breakpoints: (args.breakpoints ?? []).map(({ line }) => ({ verified: true, line })) };
    this.sendResponse(response);
  }

  protected override configurationDoneRequest(response: DebugProtocol.ConfigurationDoneResponse): void {
    this.sendResponse(response);
    if (this.stopOnEntry || this.atBreakpoint(this.run.stop)) this.stopped(this.stopOnEntry ? 'entry' : 'breakpoint');
    else this.go('forward', (stop) => this.atBreakpoint(stop), 'breakpoint');
  }

  protected override threadsRequest(response: DebugProtocol.ThreadsResponse): void {
    response.body = { threads: [new Thread(threadId, 'main thread')] };
    this.sendResponse(response);
  }

  protected override stackTraceRequest(response: DebugProtocol.StackTraceResponse): void {
    const source = new Source(this.sourcePath.split('/').pop() ?? '', this.sourcePath);
    const stackFrames = this.run.stack.map(
      (stop, depth) => new StackFrame(depth + 1, stop.function, source, this.lineOf(stop), 1),
    );
    response.body = { stackFrames, totalFrames: stackFrames.length };
    this.sendResponse(response);
  }

  protected override scopesRequest(response: DebugProtocol.ScopesResponse): void {
    response.body = { scopes: [{ name: 'Locals', variablesReference: localsReference, expensive: false }] };
    this.sendResponse(response);
  }

  protected override variablesRequest(response: DebugProtocol.VariablesResponse): void {
    const variables = Object.entries(this.run.stop.variables);
    response.body = {
      variables: variables.map(([name, value]) => ({
        name,
        value,
        type: 'int',
        evaluateName: name,
        variablesReference: 0,
      })),
    };
    this.sendResponse(response);
  }

  protected override setVariableRequest(
    response: DebugProtocol.SetVariableResponse,
    args: DebugProtocol.SetVariableArguments,
  ): void {
    this.run.setVariable(args.name, args.value);
    response.body = { value: args.value };
    this.sendResponse(response);
    this.timelineChanged();
  }

  protected override continueRequest(response: DebugProtocol.ContinueResponse): void {
    response.body = { allThreadsContinued: true };
    this.sendResponse(response);
    if (this.mayGoForward('continue')) this.go('forward', (stop) => this.atBreakpoint(stop), 'breakpoint');
  }

  /** Asks instead, when something was changed here and the client wants to be asked. */
  private mayGoForward(command: TimeTravelEvents['chronofork/editedContinue']['command']): boolean {
    if (!this.run.edited || this.onEditedContinue !== 'ask') return true;
    this.stopped('pause');
    this.send('chronofork/editedContinue', { threadId, command });
    return false;
  }

  protected override reverseContinueRequest(response: DebugProtocol.ReverseContinueResponse): void {
    this.sendResponse(response);
    this.go('back', (stop) => this.atBreakpoint(stop), 'breakpoint');
  }

  protected override nextRequest(response: DebugProtocol.NextResponse): void {
    this.sendResponse(response);
    if (this.mayGoForward('next')) this.go('forward', this.notDeeper());
  }

  protected override stepInRequest(response: DebugProtocol.StepInResponse): void {
    this.sendResponse(response);
    if (this.mayGoForward('stepIn')) this.go('forward', () => true);
  }

  protected override stepOutRequest(response: DebugProtocol.StepOutResponse): void {
    this.sendResponse(response);
    if (this.mayGoForward('stepOut')) this.go('forward', this.shallower());
  }

  protected override stepBackRequest(response: DebugProtocol.StepBackResponse): void {
    this.sendResponse(response);
    this.go('back', this.notDeeper());
  }

  protected override customRequest(command: string, response: DebugProtocol.Response, args: unknown): void {
    const handler = this.handlers[command as TimeTravelRequest] as ((args: unknown) => unknown) | undefined;
    if (!handler) {
      super.customRequest(command, response, args);
      return;
    }
    try {
      // VS Code leaves out arguments that are an empty object.
      response.body = handler(args ?? {});
      this.sendResponse(response);
    } catch (error) {
      this.sendErrorResponse(response, { id: 2, format: (error as Error).message, showUser: false });
    }
  }

  private readonly handlers: Handlers = {
    'chronofork/timeline': () => this.timeline(),
    'chronofork/seek': (target) => {
      if ('checkpoint' in target) this.run.seekCheckpoint(target.checkpoint);
      else if ('moment' in target) this.run.seekIndex(target.moment % 1000);
      else if ('event' in target) this.run.seekIndex(target.event);
      else if ('timeMs' in target) this.run.seekIndex(Math.floor(target.timeMs / 10));
      else if (target.to === 'begin') this.run.seekIndex(0);
      else this.run.seekEnd();
      this.stopped('goto');
      return this.arrival('to' in target ? target.to : 'found');
    },
    'chronofork/checkpoint': (args) => {
      let id: number | undefined;
      if (args.action === 'create') {
        id = this.run.addCheckpoint(args.pinned ? 'bookmark' : 'user', args.name, args.pinned).id;
      } else if (args.action === 'delete') this.run.deleteCheckpoint(args.id);
      else if (args.action === 'rename') this.run.changeCheckpoint((id = args.id), { name: args.name });
      else if (args.action !== 'list') this.run.changeCheckpoint((id = args.id), { pinned: args.action === 'pin' });
      if (args.action !== 'list') this.timelineChanged();
      const { checkpoints } = this.timeline();
      return { checkpoints, checkpoint: checkpoints.find((checkpoint) => checkpoint.id === id) };
    },
    'chronofork/reverseStepIn': () => this.reverseStep(() => true),
    'chronofork/reverseStepOver': () => this.reverseStep(this.notDeeper()),
    'chronofork/reverseStepOut': () => this.reverseStep(this.shallower()),
    'chronofork/lastWrite': (args) => {
      const expression = 'expression' in args ? args.expression : 'name' in args ? args.name : args.address;
      const written = this.run.lastWrite(expression);
      if (written) this.stopped('data breakpoint');
      return { ...this.arrival(written ? 'found' : 'begin'), expression, address: '0x7ffe10', size: 4, ...written };
    },
    'chronofork/runBackTo': ({ line }) => {
      const found = this.run.travel('back', ({ mark }) => this.lines.get(mark) === line);
      this.stopped('goto');
      return { ...this.arrival(found ? 'found' : 'begin'), line };
    },
    'chronofork/branch': ({ name }) => {
      const branch = this.run.beginBranch(name);
      this.timelineChanged();
      return { branch, files: ['ledger.txt'], message: 'Not undone: what was written later to ledger.txt.' };
    },
    'chronofork/discardEdits': () => {
      this.run.discardEdits();
      this.sendEvent(new Event('invalidated', { areas: ['all'] }));
      this.timelineChanged();
      return this.arrival('found');
    },
    'chronofork/replayCrash': () => {
      if (!this.run.crashed) throw new Error('The program has not crashed.');
      this.run.seekIndex(0);
      this.stopped('goto');
      return this.arrival('found');
    },
    'chronofork/present': () => {
      const { live, edited, behindMs, present, presentBranch } = this.run;
      return { live, edited, behindMs, moment: present, branch: presentBranch };
    },
  };

  private reverseStep(wanted: (stop: ScriptedStop) => boolean): Arrival {
    const found = this.run.travel('back', wanted);
    this.stopped('step');
    return this.arrival(found ? 'found' : 'begin');
  }

  private go(direction: Direction, wanted: (stop: ScriptedStop) => boolean, reason = 'step'): void {
    const found = this.run.travel(direction, wanted);
    if (!found && direction === 'forward') this.sayEnd();
    this.stopped(found ? reason : direction === 'back' ? 'entry' : 'exception');
  }

  private sayEnd(): void {
    const end = this.run.end;
    const text = end?.signal
      ? `The program was ended by ${end.signal}.`
      : `The program has ended, exit code ${end?.exitCode}.`;
    this.sendEvent(new OutputEvent(`${text}\n`));
    this.send('chronofork/notice', { severity: end?.signal ? 'warning' : 'info', message: text });
  }

  private stopped(reason: string): void {
    const event = new StoppedEvent(reason, threadId) as DebugProtocol.StoppedEvent;
    event.body.allThreadsStopped = true;
    this.sendEvent(event);
    this.timelineChanged();
  }

  private timelineChanged(): void {
    const { live, edited, behindMs, present, presentBranch } = this.run;
    const checkpointCount = this.timeline().checkpoints.length;
    this.send('chronofork/timelineChanged', {
      live,
      edited,
      behindMs,
      present,
      branch: presentBranch,
      checkpointCount,
    });
  }

  private send<E extends keyof TimeTravelEvents>(event: E, body: TimeTravelEvents[E]): void {
    this.sendEvent(new Event(event, body));
  }

  /** The run's timeline, with real lines for its marks. */
  private timeline(): Timeline {
    const timeline = this.run.timeline();
    const checkpoints = timeline.checkpoints.map((checkpoint) => ({
      ...checkpoint,
      location: {
        function: checkpoint.location?.function,
        path: this.sourcePath,
        line: this.lines.get(checkpoint.location?.path ?? ''),
      },
    }));
    return { ...timeline, checkpoints };
  }

  private arrival(outcome: Arrival['outcome']): Arrival {
    return { moment: this.run.present, outcome };
  }

  private notDeeper(): (stop: ScriptedStop) => boolean {
    const { depth } = this.run.stop;
    return (stop) => stop.depth <= depth || this.atBreakpoint(stop);
  }

  private shallower(): (stop: ScriptedStop) => boolean {
    const { depth } = this.run.stop;
    return (stop) => stop.depth < depth || this.atBreakpoint(stop);
  }

  private atBreakpoint(stop: ScriptedStop): boolean {
    return this.breakpoints.has(this.lineOf(stop));
  }

  private lineOf(stop: ScriptedStop): number {
    return this.lines.get(stop.mark) ?? 0;
  }

  protected override disconnectRequest(response: DebugProtocol.DisconnectResponse): void {
    this.sendResponse(response);
    this.sendEvent(new TerminatedEvent());
    this.shutdown();
  }
}

/** mark → line number */
function marksOf(source: string): Map<string, number> {
  const lines = readFileSync(source, 'utf8').split('\n');
  return new Map(
    lines.flatMap((line, index) => {
      const mark = /\/\/@ (\S+)/.exec(line)?.[1];
      return mark === undefined ? [] : [[mark, index + 1] as const];
    }),
  );
}

DebugSession.run(FakeAdapter);
