/**
 * Journeys: whole sessions with a marked program, written as tables.
 *
 *     debugTest('stepping back returns the way it came', 'bank.c', async s => {
 *       await s.walk(`
 *         break start
 *         run             -> start
 *         next            -> deposit
 *         stepBack        -> start
 *       `);
 *     });
 *
 * A row is `action arguments -> place`. A place is a mark, or `function:line`
 * where there is none, or what is special about the stop: `exit 0`,
 * `SIGSEGV at MARK`, `beginning at MARK`. `walk` compares the whole table, so
 * that a failure shows the planned path beside the one taken.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { AdapterClient, adapterCommand } from './adapterClient.js';
import { program, type Program } from './programs.js';

export interface JourneyOptions {
  flags?: string[];
  launch?: Record<string, unknown>;
  /** Capabilities of the client beyond the usual ones. */
  client?: Record<string, unknown>;
  env?: NodeJS.ProcessEnv;
  /** How the adapter is started, given how it usually is. */
  command?: (usual: string[]) => string[];
  timeout?: number;
}

export interface Place {
  body: DebugProtocol.StoppedEvent['body'];
  stackFrame: DebugProtocol.StackFrame | undefined;
  text: string;
}

type Row = { action: string; args: string; expected: string | undefined };

function parseTable(table: string): Row[] {
  return table
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [left = '', right] = line.split(/\s+->\s+/);
      const [, action = '', args = ''] = /^(\S+)\s*(.*)$/.exec(left) ?? [];
      return { action, args, expected: right?.trim() };
    });
}

/** Actions that are one DAP request for the thread. */
const plainSteps = ['next', 'stepIn', 'stepOut', 'continue', 'stepBack', 'reverseContinue'];

export class Journey {
  threadId = 0;
  last: Place | undefined;
  private readonly breakpoints: DebugProtocol.SourceBreakpoint[] = [];
  private launched = false;

  constructor(
    readonly client: AdapterClient,
    readonly program: Program,
    private readonly options: JourneyOptions,
  ) {}

  line(mark: string): number {
    const line = this.program.marks.get(mark);
    if (line === undefined) throw new Error(`${this.program.name} has no mark "${mark}"`);
    return line;
  }

  /** initialize and launch, up to where breakpoints can be set. */
  async launch(more: Record<string, unknown> = {}): Promise<void> {
    await this.begin('launch', {
      program: this.program.executable,
      cwd: path.dirname(this.program.executable),
      ...this.options.launch,
      ...more,
    });
  }

  /** initialize and launch or attach with these arguments alone. */
  async begin(request: 'launch' | 'attach', args: Record<string, unknown>): Promise<void> {
    if (this.launched) return;
    this.launched = true;
    await this.client.request('initialize', {
      adapterID: 'chronofork',
      linesStartAt1: true,
      columnsStartAt1: true,
      pathFormat: 'path',
      ...this.options.client,
    });
    await this.client.request(request, args);
    await this.client.event('initialized');
  }

  async setBreakpoints(): Promise<DebugProtocol.Breakpoint[]> {
    const body = await this.client.request<DebugProtocol.SetBreakpointsResponse['body']>('setBreakpoints', {
      source: { path: this.program.source },
      breakpoints: this.breakpoints,
    });
    return body.breakpoints;
  }

  /** Adds a breakpoint at a mark. */
  async breakAt(mark: string, more: Partial<DebugProtocol.SourceBreakpoint> = {}): Promise<DebugProtocol.Breakpoint> {
    await this.launch();
    this.breakpoints.push({ line: this.line(mark), ...more });
    return (await this.setBreakpoints()).at(-1)!;
  }

  async clear(mark: string): Promise<void> {
    const index = this.breakpoints.findIndex(({ line }) => line === this.line(mark));
    if (index >= 0) this.breakpoints.splice(index, 1);
    await this.setBreakpoints();
  }

  async run(): Promise<Place> {
    await this.launch();
    await this.client.request('configurationDone');
    return this.stopped();
  }

  /** One request that ends with a stop. */
  async step(command: string, args: object = {}): Promise<Place> {
    this.client.forget('stopped');
    await this.client.request(command, { threadId: this.threadId, ...args });
    return this.stopped();
  }

  async stopped(): Promise<Place> {
    const body = await this.client.event<DebugProtocol.StoppedEvent>('stopped');
    if (body.threadId) this.threadId = body.threadId;
    const stack = await this.stack(1).catch(() => []);
    this.last = { body, stackFrame: stack[0], text: this.placeText(body, stack[0]) };
    return this.last;
  }

  async stack(levels = 0): Promise<DebugProtocol.StackFrame[]> {
    const body = await this.client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', {
      threadId: this.threadId,
      startFrame: 0,
      levels,
    });
    return body.stackFrames;
  }

  async evaluate(expression: string, more: object = {}): Promise<string> {
    const frameId = this.last?.stackFrame?.id;
    const body = await this.client.request<DebugProtocol.EvaluateResponse['body']>('evaluate', {
      expression,
      context: 'watch',
      ...(frameId === undefined ? {} : { frameId }),
      ...more,
    });
    return body.result;
  }

  /** The local variables of the innermost frame, or another. */
  async locals(frameId = this.last?.stackFrame?.id): Promise<DebugProtocol.Variable[]> {
    const { scopes } = await this.client.request<DebugProtocol.ScopesResponse['body']>('scopes', { frameId });
    const scope = scopes.find(({ presentationHint }) => presentationHint === 'locals');
    if (!scope) throw new Error('this stack frame has no local variables');
    return this.children(scope.variablesReference);
  }

  async children(variablesReference: number, more: object = {}): Promise<DebugProtocol.Variable[]> {
    const body = await this.client.request<DebugProtocol.VariablesResponse['body']>('variables', {
      variablesReference,
      ...more,
    });
    return body.variables;
  }

  /** Follows the table; compares the places of all rows at once. */
  async walk(table: string): Promise<void> {
    const rows = parseTable(table);
    const planned: string[] = [];
    const taken: string[] = [];
    for (const row of rows) {
      const label = `${row.action} ${row.args}`.trim().padEnd(28);
      planned.push(row.expected === undefined ? label.trim() : `${label}-> ${row.expected}`);
      try {
        const place = await this.act(row);
        taken.push(row.expected === undefined ? label.trim() : `${label}-> ${place}`);
      } catch (error) {
        taken.push(`${label}-> failed: ${error instanceof Error ? error.message : String(error)}`);
        break;
      }
    }
    assert.equal(taken.join('\n'), planned.join('\n'));
  }

  private async act({ action, args }: Row): Promise<string | undefined> {
    if (action === 'run') return (await this.run()).text;
    if (action === 'break') return void (await this.breakAt(args));
    if (action === 'clear') return this.clear(args) as Promise<undefined>;
    if (plainSteps.includes(action)) return (await this.step(action, args ? { granularity: args } : {})).text;
    if (action.startsWith('reverseStep')) return (await this.step(`chronofork/${action}`)).text;
    if (action === 'lastWrite')
      return (await this.step('chronofork/lastWrite', { expression: args, frameId: this.last?.stackFrame?.id })).text;
    if (action === 'runBackTo')
      return (
        await this.step('chronofork/runBackTo', { path: this.program.source, line: this.program.marks.get(args) })
      ).text;
    if (action === 'seek') return (await this.step('chronofork/seek', { to: args })).text;
    if (action === 'value') return this.evaluate(args);
    if (action === 'set') {
      const [expression, value] = args.split(/\s*=\s*/);
      await this.client.request('setExpression', { expression, value, frameId: this.last?.stackFrame?.id });
      return undefined;
    }
    throw new Error(`walk does not know "${action}"`);
  }

  private placeText(body: DebugProtocol.StoppedEvent['body'], frame: DebugProtocol.StackFrame | undefined): string {
    const where = this.whereText(frame);
    if (body.reason === 'exit') return body.description?.replace('Program exited with code', 'exit') ?? 'exit';
    if (body.reason === 'exception') return `${body.description} at ${where}`;
    if (body.description?.startsWith('Beginning')) return `beginning at ${where}`;
    return where;
  }

  private whereText(frame: DebugProtocol.StackFrame | undefined): string {
    if (!frame) return 'nowhere';
    const mark = frame.source?.path === this.program.source ? this.program.markAt.get(frame.line) : undefined;
    return mark ?? `${frame.name}:${frame.line}`;
  }
}

/** A journey as a mocha test. On a failure it says how to take it again, and shows what was said. */
export function debugTest(
  name: string,
  programName: string,
  optionsOrBody: JourneyOptions | ((journey: Journey) => Promise<void>),
  maybeBody?: (journey: Journey) => Promise<void>,
): void {
  const options = typeof optionsOrBody === 'function' ? {} : optionsOrBody;
  const body = typeof optionsOrBody === 'function' ? optionsOrBody : maybeBody!;
  it(name, async function () {
    this.timeout(options.timeout ?? 90_000);
    const built = program(programName, options.flags);
    const client = new AdapterClient(name, options.command?.(adapterCommand()), options.env);
    const journey = new Journey(client, built, options);
    try {
      try {
        await body(journey);
      } catch (error) {
        await client.close().catch(() => undefined); // what went wrong first is what counts
        throw error;
      }
      await client.close();
    } catch (error) {
      const file = this.test?.file ? path.relative(process.cwd(), this.test.file) : 'test/journeys';
      const again = `npx mocha ${file} --grep ${JSON.stringify(name)}`;
      if (error instanceof Error) error.stack += `\n${client.report()}\n\nTo take this journey again: ${again}\n`;
      throw error;
    }
  });
}
