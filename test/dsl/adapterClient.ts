/**
 * An adapter in a process of its own and a client that speaks to it, for
 * journeys. Everything that was said is kept, so that a failure can show it.
 *
 * Easy to get wrong: an event may overtake the answer that it belongs to, so
 * every event is kept until somebody takes it.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { ArgumentsOf, ResponseOf, TimeTravelRequest } from '../../debug-adapter/protocol/timeTravel.js';
import { root } from '../../scripts/lib/run.mjs';
import { nothingLeft } from './leftovers.js';

/** Nothing in a journey takes as long, even on a machine that does much else; a hang must end with a message. */
const patience_ms = 60_000;

export type DapEvent = DebugProtocol.Event;

interface Waiter {
  matches(event: DapEvent): boolean;
  resolve(event: DapEvent): void;
}

/** An error response, with its number and the stable code. */
export class RequestFailed extends Error {
  readonly id: number | undefined;
  readonly code: string | undefined;

  constructor(readonly response: DebugProtocol.Response) {
    super(`${response.command}: ${response.message}`);
    const error = (response.body as { error?: DebugProtocol.Message } | undefined)?.error;
    this.id = error?.id;
    this.code = error?.variables?.code;
  }
}

/** How the adapter is started: from its sources, or what CHRONOFORK_TEST_ADAPTER names. */
export function adapterCommand(): string[] {
  const other = process.env.CHRONOFORK_TEST_ADAPTER;
  if (other) return other.split(' ');
  return [process.execPath, '--import', 'tsx', path.join(root, 'debug-adapter/cli.ts'), 'dap'];
}

let nextJourney = 1;

function variable(setting: string): Record<string, string> {
  const [name = '', value = ''] = setting.split('=');
  return { [name]: value };
}

export class AdapterClient {
  readonly child: ChildProcessWithoutNullStreams;
  /** Every message, `→` sent or `←` received, as JSON. */
  readonly transcript: string[] = [];
  readonly logFile: string;
  /** The adapter's own temporary directory: what is left there was forgotten. */
  readonly temporary = mkdtempSync(path.join(tmpdir(), 'cf-journey-'));
  /** A variable that every process of the session inherits. */
  readonly mark = `CF_JOURNEY=${process.pid}-${nextJourney++}`;
  /** What the debuggee printed, by category. */
  readonly output: Record<string, string> = {};
  /** Answers reverse requests of the adapter. */
  onReverseRequest: (command: string, args: unknown) => unknown = () => {
    throw new Error('not supported');
  };
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  private received = Buffer.alloc(0);
  private sequence = 1;
  private readonly answers = new Map<number, (response: DebugProtocol.Response) => void>();
  private readonly events: DapEvent[] = [];
  private waiters: Waiter[] = [];
  private stderr = '';

  constructor(name: string, command = adapterCommand(), env: NodeJS.ProcessEnv = {}) {
    const folder = path.join(root, 'test-results/journeys');
    mkdirSync(folder, { recursive: true });
    this.logFile = path.join(folder, `${name.replace(/[^A-Za-z0-9]+/g, '-')}-${process.pid}.log`);
    rmSync(this.logFile, { force: true });
    chmodSync(this.temporary, 0o777); // the adapter may run as another user
    const [program = '', ...args] = command;
    this.child = spawn(program, args, {
      cwd: root,
      env: {
        CHRONOFORK_LOG: 'info,dap:debug,gdb:debug,time:debug,session:debug',
        CHRONOFORK_LOG_FILE: this.logFile,
        ...process.env,
        TMPDIR: this.temporary,
        ...variable(this.mark),
        ...env,
      },
    });
    this.child.stdout.on('data', (data: Buffer) => this.receive(data));
    this.child.stderr.on('data', (data: Buffer) => (this.stderr += data.toString()));
    this.child.stdin.on('error', () => undefined);
    this.exited = new Promise((resolve) => this.child.on('exit', (code, signal) => resolve({ code, signal })));
    void this.exited.then(({ code, signal }) => this.gone(`it ended with ${signal ?? code}`));
  }

  async request<T = unknown>(command: string, args: object = {}): Promise<T> {
    const response = await this.requestRaw(command, args);
    if (!response.success) throw new RequestFailed(response);
    return response.body as T;
  }

  /** A request whose answer is waited for later; `seq` is its number. */
  begin(command: string, args: object = {}): { seq: number; answer: Promise<unknown> } {
    const { seq, answer } = this.sendRequest(command, args);
    const body = answer.then((response) => {
      if (!response.success) throw new RequestFailed(response);
      return response.body as unknown;
    });
    body.catch(() => undefined); // told to whoever waits for it
    return { seq, answer: body };
  }

  timeTravel<R extends TimeTravelRequest>(command: R, args: ArgumentsOf<R>): Promise<ResponseOf<R>> {
    return this.request<ResponseOf<R>>(command, args);
  }

  /** The failure of a request that is expected to fail. */
  async refusal(command: string, args: object = {}): Promise<RequestFailed> {
    const response = await this.requestRaw(command, args);
    if (response.success) throw new Error(`${command} succeeded, but should have been refused`);
    return new RequestFailed(response);
  }

  /** The next event of that name (kept or to come) that `matches`. */
  event<T extends DapEvent>(name: T['event'], matches: (body: T['body']) => boolean = () => true): Promise<T['body']> {
    const wanted = (event: DapEvent) => event.event === name && matches(event.body as T['body']);
    const index = this.events.findIndex(wanted);
    if (index >= 0) return Promise.resolve(this.events.splice(index, 1)[0]!.body as T['body']);
    const coming = new Promise<DapEvent>((resolve) => this.waiters.push({ matches: wanted, resolve }));
    return this.limited(coming, `event ${name}`).then((event) => event.body as T['body']);
  }

  /** Whether such an event has come and was not taken. */
  has(name: string): boolean {
    return this.events.some((event) => event.event === name);
  }

  /** Forgets kept events of that name. */
  forget(name: string): void {
    for (let i = this.events.length - 1; i >= 0; i--) if (this.events[i]!.event === name) this.events.splice(i, 1);
  }

  /** Bytes as they are, well formed or not. */
  sendBytes(bytes: string | Buffer): void {
    this.child.stdin.write(bytes);
  }

  /** Waits until the debuggee's output of a category holds `text`. */
  async outputHas(category: string, text: string): Promise<void> {
    const until = Date.now() + patience_ms;
    while (!(this.output[category] ?? '').includes(text)) {
      if (Date.now() > until)
        throw new Error(
          `waited in vain for ${JSON.stringify(text)} on ${category}; got ${JSON.stringify(this.output[category])}`,
        );
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /**
   * Ends the session; the adapter must be gone afterwards, and nothing be left.
   *
   * @throws Error that names the processes and files that are
   */
  async close(): Promise<void> {
    try {
      await this.leave();
      await nothingLeft(this);
    } finally {
      rmSync(this.temporary, { recursive: true, force: true });
    }
  }

  private async leave(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    await this.requestRaw('disconnect', { terminateDebuggee: true }).catch(() => undefined);
    this.child.stdin.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5000);
    await this.exited;
    clearTimeout(timer);
  }

  /** What helps to understand a failure. */
  private lastSaid(): string {
    const last = this.transcript.slice(-40);
    return last.map((line) => line.slice(0, 300)).join('\n');
  }

  report(): string {
    const parts = [`--- said (last 40) ---\n${this.lastSaid()}`];
    if (this.stderr) parts.push(`--- stderr ---\n${this.stderr.slice(-4000)}`);
    try {
      const lines = readFileSync(this.logFile, 'utf8').split('\n');
      parts.push(`--- end of ${path.relative(root, this.logFile)} ---\n${lines.slice(-30).join('\n')}`);
    } catch {
      parts.push('(no log)');
    }
    return parts.join('\n');
  }

  private requestRaw(command: string, args: object): Promise<DebugProtocol.Response> {
    return this.sendRequest(command, args).answer;
  }

  private sendRequest(command: string, args: object): { seq: number; answer: Promise<DebugProtocol.Response> } {
    const seq = this.sequence++;
    const answer = new Promise<DebugProtocol.Response>((resolve) => this.answers.set(seq, resolve));
    this.send({ seq, type: 'request', command, arguments: args });
    return { seq, answer: this.limited(answer, `answer to ${command}`) };
  }

  private send(message: object): void {
    const text = JSON.stringify(message);
    this.transcript.push(`→ ${text}`);
    this.child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }

  private receive(data: Buffer): void {
    this.received = Buffer.concat([this.received, data]);
    for (;;) {
      const headerEnd = this.received.indexOf('\r\n\r\n');
      if (headerEnd < 0) return;
      const length = Number(/Content-Length: (\d+)/i.exec(this.received.toString('latin1', 0, headerEnd))?.[1]);
      if (this.received.length < headerEnd + 4 + length) return;
      const text = this.received.toString('utf8', headerEnd + 4, headerEnd + 4 + length);
      this.received = this.received.subarray(headerEnd + 4 + length);
      this.transcript.push(`← ${text}`);
      this.dispatch(JSON.parse(text) as DebugProtocol.ProtocolMessage);
    }
  }

  private dispatch(message: DebugProtocol.ProtocolMessage): void {
    if (message.type === 'response') {
      const response = message as DebugProtocol.Response;
      this.answers.get(response.request_seq)?.(response);
      this.answers.delete(response.request_seq);
    } else if (message.type === 'event') {
      this.take(message as DapEvent);
    } else {
      this.answerReverse(message as DebugProtocol.Request);
    }
  }

  private take(event: DapEvent): void {
    if (event.event === 'output') {
      const { category = 'console', output } = event.body as DebugProtocol.OutputEvent['body'];
      this.output[category] = (this.output[category] ?? '') + output;
    }
    const index = this.waiters.findIndex((waiter) => waiter.matches(event));
    if (index >= 0) this.waiters.splice(index, 1)[0]!.resolve(event);
    else this.events.push(event);
  }

  private answerReverse(request: DebugProtocol.Request): void {
    const base = { seq: this.sequence++, type: 'response', request_seq: request.seq, command: request.command };
    try {
      this.send({ ...base, success: true, body: this.onReverseRequest(request.command, request.arguments) ?? {} });
    } catch (error) {
      this.send({ ...base, success: false, message: String(error) });
    }
  }

  private gone(why: string): void {
    for (const [seq, answer] of this.answers)
      answer({
        seq: 0,
        type: 'response',
        request_seq: seq,
        command: '?',
        success: false,
        message: `the adapter is gone: ${why}`,
      });
    this.answers.clear();
    for (const waiter of this.waiters) waiter.resolve({ seq: 0, type: 'event', event: 'gone', body: {} });
    this.waiters = [];
  }

  private limited<T>(promise: Promise<T>, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`waited ${patience_ms / 1000} s in vain for ${what}`)), patience_ms);
      timer.unref(); // mocha's own limit keeps a test going; nobody waits for a journey that is over
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  }
}
