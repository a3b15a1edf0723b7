/**
 * A small client of the Debug Adapter Protocol, for the demo and the
 * benchmarks: it starts `chronofork dap` and talks to it over stdio, as any
 * editor would.
 *
 * Easy to get wrong: an event may arrive before anybody asks for it (a stop
 * can overtake the answer to the request that caused it). So every event is
 * kept until it is taken, and `take` looks at those first.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { ArgumentsOf, ResponseOf, TimeTravelRequest } from '../../debug-adapter/protocol/timeTravel.js';

// Nothing the demo or the benchmarks ask for takes as long; a hang must end.
const limitMs = 120_000;

interface Waiting {
  event: string;
  resolve: (body: unknown) => void;
}

export class DapClient {
  private readonly child: ChildProcess;
  private received = Buffer.alloc(0);
  private sequence = 1;
  private readonly answers = new Map<number, (response: DebugProtocol.Response) => void>();
  private readonly kept: DebugProtocol.Event[] = [];
  private readonly waiting: Waiting[] = [];
  private stderr = '';
  private ended: string | undefined;
  /** Called with what the debuggee prints. */
  onOutput: (text: string, category: string) => void = () => undefined;

  /** @param command  the adapter with its arguments, e.g. `[node, 'dist/cli.cjs', 'dap']` */
  constructor(command: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    const [program = '', ...args] = command;
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
    this.child.stdout?.on('data', (data: Buffer) => this.receive(data));
    this.child.stderr?.on('data', (data: Buffer) => (this.stderr += data.toString()));
    // Writing to an adapter that is gone is reported by its end, not by the pipe.
    this.child.stdin?.on('error', () => undefined);
    this.child.on('error', (error) => this.fail(error.message));
    this.child.on('exit', (code, signal) => this.fail(`it ended (${signal ?? code}) ${this.stderr}`.trim()));
  }

  /**
   * Sends a request and resolves with the body of its answer.
   * @throws Error with the adapter's message, when it refuses or is gone
   */
  async request<T = unknown>(command: string, args: object = {}): Promise<T> {
    if (this.ended !== undefined) throw new Error(`The adapter is gone: ${this.ended}`);
    const sequence = this.sequence++;
    const text = JSON.stringify({ seq: sequence, type: 'request', command, arguments: args });
    const answer = new Promise<DebugProtocol.Response>((resolve) => this.answers.set(sequence, resolve));
    this.child.stdin?.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    const response = await withLimit(answer, `the answer to ${command}`);
    if (!response.success) throw new Error(`${command}: ${errorText(response)}`);
    return response.body as T;
  }

  /** One of our own requests, with the types of the protocol. */
  timeTravel<R extends TimeTravelRequest>(command: R, args: ArgumentsOf<R>): Promise<ResponseOf<R>> {
    return this.request<ResponseOf<R>>(command, args);
  }

  /**
   * The next event of that name, kept or to come.
   * @throws Error when it does not come in time, or the adapter is gone
   */
  take<T extends DebugProtocol.Event>(event: T['event'], withinMs = limitMs): Promise<T['body']> {
    const index = this.kept.findIndex((candidate) => candidate.event === event);
    if (index >= 0) return Promise.resolve(this.kept.splice(index, 1)[0]?.body as T['body']);
    if (this.ended !== undefined) return Promise.reject(new Error(`The adapter is gone: ${this.ended}`));
    const coming = new Promise<unknown>((resolve) => this.waiting.push({ event, resolve }));
    return withLimit(coming, `the event ${event}`, withinMs).then((body) => {
      if (body instanceof Error) throw body;
      return body as T['body'];
    });
  }

  /** Ends the session and the adapter; never throws. */
  async close(): Promise<void> {
    try {
      if (this.ended === undefined) await this.request('disconnect', { terminateDebuggee: true });
    } catch {
      // It may be gone already, which is what we want.
    }
    if (this.ended !== undefined) return;
    const exited = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 3000);
    this.child.stdin?.end();
    await exited;
    clearTimeout(timer);
  }

  private receive(data: Buffer): void {
    this.received = Buffer.concat([this.received, data]);
    for (;;) {
      const headerEnd = this.received.indexOf('\r\n\r\n');
      if (headerEnd < 0) return;
      const length = Number(/Content-Length: (\d+)/i.exec(this.received.toString('latin1', 0, headerEnd))?.[1]);
      const bodyEnd = headerEnd + 4 + length;
      if (this.received.length < bodyEnd) return;
      const message = JSON.parse(
        this.received.toString('utf8', headerEnd + 4, bodyEnd),
      ) as DebugProtocol.ProtocolMessage;
      this.received = this.received.subarray(bodyEnd);
      this.dispatch(message);
    }
  }

  private dispatch(message: DebugProtocol.ProtocolMessage): void {
    if (message.type === 'response') {
      const response = message as DebugProtocol.Response;
      this.answers.get(response.request_seq)?.(response);
      this.answers.delete(response.request_seq);
    } else if (message.type === 'event') {
      const event = message as DebugProtocol.Event;
      if (event.event === 'output') {
        const { output, category } = (event as DebugProtocol.OutputEvent).body;
        this.onOutput(output, category ?? 'console');
        return;
      }
      const index = this.waiting.findIndex((waiting) => waiting.event === event.event);
      if (index >= 0) this.waiting.splice(index, 1)[0]?.resolve(event.body);
      else this.kept.push(event);
    }
  }

  private fail(reason: string): void {
    this.ended ??= reason;
    for (const [sequence, answer] of this.answers) {
      const message = `the adapter is gone: ${this.ended}`;
      answer({ seq: 0, type: 'response', request_seq: sequence, command: '', success: false, message });
    }
    this.answers.clear();
    for (const { resolve } of this.waiting.splice(0)) resolve(new Error(`The adapter is gone: ${this.ended}`));
  }
}

/** The sentence that a client would show. */
function errorText(response: DebugProtocol.Response): string {
  const error = (response.body as { error?: DebugProtocol.Message } | undefined)?.error;
  const variables = error?.variables ?? {};
  return (
    error?.format.replace(/\{(\w+)\}/g, (whole, name: string) => variables[name] ?? whole) ?? response.message ?? ''
  );
}

function withLimit<T>(promise: Promise<T>, what: string, ms = limitMs): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${ms / 1000} s in vain for ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
