/**
 * A debug session of a real program through the DAP, and what the tests of
 * real programs ask of it: places by the text of their line, stops with all
 * that can be seen there, and steps.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Moment } from '../../debug-adapter/protocol/timeTravel.js';
import { AdapterClient } from '../dsl/adapterClient.js';
import { freshRun, type RealProgram, type Run } from './realPrograms.js';

/** A source line by what stands in it: the first that contains the text. */
export interface SourcePlace {
  file: string;
  text: string;
}

/** All that a user sees at a stop. */
export interface Stop {
  reason: string;
  threadId: number;
  frame: DebugProtocol.StackFrame;
  moment: Moment;
}

export interface Wanted {
  condition?: string;
  hitCondition?: string;
}

export class RealSession {
  threadId = 0;
  private readonly lines = new Map<string, string[]>();

  private constructor(
    readonly client: AdapterClient,
    readonly program: RealProgram,
    private readonly run: Run,
  ) {}

  /** Launches, with breakpoints at functions and lines; the program does not run yet. */
  static async launch(program: RealProgram, title: string, rounds = 1): Promise<RealSession> {
    const run = freshRun(program.name, rounds);
    const client = new AdapterClient(`${title} ${program.name} ${program.optimisation}`, undefined, {
      CHRONOFORK_LOG: process.env.CHRONOFORK_LOG ?? 'info',
    });
    const session = new RealSession(client, program, run);
    try {
      await client.request('initialize', { adapterID: 'chronofork', linesStartAt1: true, pathFormat: 'path' });
      await client.request('launch', {
        program: program.executable,
        args: run.args,
        cwd: run.cwd,
        ...(run.stdin === undefined ? {} : { stdin: run.stdin }),
      });
      await client.event('initialized');
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.client.close();
    this.run.dispose();
  }

  line({ file, text }: SourcePlace): number {
    let lines = this.lines.get(file);
    if (!lines) this.lines.set(file, (lines = readFileSync(path.join(this.program.sources, file), 'utf8').split('\n')));
    const index = lines.findIndex((line) => line.includes(text));
    if (index < 0) throw new Error(`${file} has no line with "${text}".`);
    return index + 1;
  }

  async breakAtFunction(name: string | undefined, wanted: Wanted = {}): Promise<void> {
    const breakpoints = name === undefined ? [] : [{ name, ...wanted }];
    const body = await this.client.request<DebugProtocol.SetFunctionBreakpointsResponse['body']>(
      'setFunctionBreakpoints',
      { breakpoints },
    );
    for (const { verified, message } of body.breakpoints)
      if (!verified) throw new Error(`no breakpoint at ${name}: ${message}`);
  }

  /** The only breakpoint in that file. */
  async breakAtLine(place: SourcePlace, wanted: Wanted | undefined): Promise<void> {
    const body = await this.client.request<DebugProtocol.SetBreakpointsResponse['body']>('setBreakpoints', {
      source: { path: path.join(this.program.sources, place.file) },
      breakpoints: wanted === undefined ? [] : [{ line: this.line(place), ...wanted }],
    });
    for (const { verified, message } of body.breakpoints)
      if (!verified) throw new Error(`no breakpoint at ${place.file}, "${place.text}": ${message}`);
  }

  async start(): Promise<Stop> {
    this.client.forget('stopped');
    await this.client.request('configurationDone');
    return this.stopped();
  }

  /** A request that ends with a stop. */
  async go(command: string, args: object = {}): Promise<Stop> {
    this.client.forget('stopped');
    await this.client.request(command, { threadId: this.threadId, ...args });
    return this.stopped();
  }

  private async stopped(): Promise<Stop> {
    const { reason, threadId = 0 } = await this.client.event<DebugProtocol.StoppedEvent>('stopped');
    this.threadId = threadId;
    const stack = { threadId, startFrame: 0, levels: 1 };
    const body = await this.client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', stack);
    const { moment } = await this.client.timeTravel('chronofork/present', {});
    return { reason, threadId, frame: body.stackFrames[0]!, moment };
  }

  async value(expression: string, stop: Stop): Promise<string> {
    const asked = { expression, frameId: stop.frame.id, context: 'watch' };
    return (await this.client.request<DebugProtocol.EvaluateResponse['body']>('evaluate', asked)).result;
  }

  /** Where it is and every local variable, as one line of text. */
  async seen(stop: Stop): Promise<string> {
    const { frame } = stop;
    const asked = { frameId: frame.id };
    const { scopes } = await this.client.request<DebugProtocol.ScopesResponse['body']>('scopes', asked);
    const shown: string[] = [];
    for (const scope of scopes.filter(({ presentationHint }) => presentationHint !== 'registers')) {
      if (scope.expensive) continue;
      const { variables } = await this.client.request<DebugProtocol.VariablesResponse['body']>('variables', {
        variablesReference: scope.variablesReference,
      });
      for (const { name, value } of variables) shown.push(`${name}=${value}`);
    }
    return `${frame.name}:${frame.line} pc ${frame.instructionPointerReference} ${shown.join(' ')}`;
  }
}
