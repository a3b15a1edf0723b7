/**
 * A gdb process and the conversation with it: commands with tokens, records
 * handed to whom they concern.
 *
 *     command('-stack…') ──▶ 17-stack… ──▶ gdb ──▶ 17^done,… ──▶ resolves
 *                                             ├──▶ *stopped   ──▶ onExec
 *                                             └──▶ ~"text"    ──▶ the console command under way,
 *                                                                 a logpoint, or onConsole
 *
 * gdb works off commands one after the other, so what it prints belongs to the
 * oldest unanswered one. When gdb dies, every open command is rejected.
 *
 * Easy to get wrong: gdb reads end-of-file on stdin as `quit`, which is how it
 * ends when this process is killed; so its stdin must be a pipe of ours alone.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ChronoforkError } from '../errors.js';
import { Log } from '../log.js';
import { parseMiLine, quoteMi, text, type MiRecord, type MiTuple } from './miParser.js';

const log = new Log('gdb');

/** The same as LOG_MARK in chronofork_breakpoints.py. */
const logMark = '\x1echronofork-log ';

export interface LogpointMessage {
  text: string;
  number: number;
  path?: string;
  line?: number;
}

export interface GdbListener {
  /** `*running` and `*stopped`. */
  onExec(className: string, fields: MiTuple): void;
  /** `=breakpoint-modified`, `=library-loaded`, … */
  onNotify(className: string, fields: MiTuple): void;
  /** What gdb prints that nobody asked for. */
  onConsole(text: string): void;
  onLogpoint(message: LogpointMessage): void;
  /** gdb is gone. `asked`: because of `quit()`. */
  onExit(asked: boolean, description: string): void;
}

/** What the rest of the adapter needs of gdb. */
export interface Gdb {
  /** Sends an MI command; rejects with 'gdbRefused' and gdb's own sentence. */
  command(command: string): Promise<MiTuple>;
  /** The same, with what gdb logged meanwhile (why a breakpoint is pending, for example). */
  commandWithLog(command: string): Promise<{ fields: MiTuple; log: string }>;
  /** Calls a method of chronofork_gdb.py. */
  call<T>(method: string, args?: Record<string, unknown>): Promise<T>;
  /** Runs a command of gdb's command line and resolves with what it printed. */
  console(command: string): Promise<string>;
}

interface PendingCommand {
  command: string;
  printed: string[] | undefined;
  logged: string[];
  resolve(fields: MiTuple): void;
  reject(error: Error): void;
}

export class MiConnection implements Gdb {
  listener: GdbListener | undefined;
  private readonly pending = new Map<number, PendingCommand>();
  private nextToken = 1;
  private partialLine = '';
  private quitting = false;
  private gone: ChronoforkError | undefined;
  private lastErrorOutput = '';
  private readonly exited: Promise<void>;

  private constructor(private readonly child: ChildProcessWithoutNullStreams) {
    createInterface({ input: child.stdout, crlfDelay: Infinity }).on('line', (line) => this.receive(line));
    child.stderr.on(
      'data',
      (data: Buffer) => (this.lastErrorOutput = (this.lastErrorOutput + data.toString()).slice(-2000)),
    );
    child.stdin.on('error', () => undefined); // told by the exit that follows
    this.exited = new Promise((resolve) => {
      child.on('exit', (code, signal) => {
        this.ended(signal ? `it was ended by ${signal}` : `it ended with code ${code}`);
        resolve();
      });
    });
  }

  /**
   * Starts gdb without any of the user's start files, in a process group of
   * its own so that Ctrl-C in a terminal does not reach it.
   *
   * @throws ChronoforkError 'gdbMissing'
   */
  static start(path: string, environment: NodeJS.ProcessEnv = process.env): Promise<MiConnection> {
    const child = spawn(path, ['--interpreter=mi3', '-nx', '-q'], {
      detached: true,
      env: { ...environment, LC_MESSAGES: 'C', LANGUAGE: 'C', LINES: '', COLUMNS: '' },
    });
    return new Promise((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) => reject(cannotStart(path, error)));
      child.once('spawn', () => resolve(new MiConnection(child)));
    });
  }

  get processId(): number | undefined {
    return this.child.pid;
  }

  command(command: string): Promise<MiTuple> {
    return this.send(command, false).then(({ fields }) => fields);
  }

  commandWithLog(command: string): Promise<{ fields: MiTuple; log: string }> {
    return this.send(command, false);
  }

  async call<T>(method: string, args: Record<string, unknown> = {}): Promise<T> {
    const fields = await this.command(`-chronofork ${method} ${quoteMi(JSON.stringify(args))}`);
    return JSON.parse(text(fields, 'json')) as T;
  }

  async console(command: string): Promise<string> {
    return (await this.send(`-interpreter-exec console ${quoteMi(command)}`, true)).printed;
  }

  /** Ends gdb; harmless when it is gone already. Waits at most a second before it is killed. */
  async quit(): Promise<void> {
    this.quitting = true;
    if (this.gone) return;
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 1000);
    this.child.stdin.end('-gdb-exit\n');
    await this.exited;
    clearTimeout(timer);
  }

  /** For when there is no time: at the exit of this process. */
  kill(): void {
    this.quitting = true;
    if (!this.gone) this.child.kill('SIGKILL');
  }

  private send(command: string, captured: boolean): Promise<{ fields: MiTuple; log: string; printed: string }> {
    if (this.gone) return Promise.reject(this.gone);
    const token = this.nextToken++;
    log.write('debug', `${token} > ${command.slice(0, 2000)}`);
    return new Promise((resolve, reject) => {
      const entry: PendingCommand = {
        command,
        printed: captured ? [] : undefined,
        logged: [],
        resolve: (fields) => resolve({ fields, log: entry.logged.join(''), printed: entry.printed?.join('') ?? '' }),
        reject,
      };
      this.pending.set(token, entry);
      this.child.stdin.write(`${token}${command}\n`);
    });
  }

  private receive(line: string): void {
    if (log.enabled('trace')) log.write('trace', `< ${line.slice(0, 4000)}`);
    let record: MiRecord;
    try {
      record = parseMiLine(line);
    } catch (error) {
      log.write('error', String(error));
      return;
    }
    switch (record.kind) {
      case 'result':
        return this.answer(record.token, record.className, record.fields);
      case 'exec':
        log.write('debug', `< ${line.slice(0, 500)}`);
        return this.listener?.onExec(record.className, record.fields);
      case 'notify':
        return this.listener?.onNotify(record.className, record.fields);
      case 'console':
        return this.printed(record.text);
      case 'log':
        return void this.oldest()?.logged.push(record.text);
      default:
        return;
    }
  }

  private answer(token: number | undefined, className: string, fields: MiTuple): void {
    const entry = token === undefined ? undefined : this.pending.get(token);
    if (!entry || token === undefined) return;
    this.pending.delete(token);
    if (className === 'error') {
      log.write('debug', `${token} < error ${text(fields, 'msg')} (${entry.command.slice(0, 200)})`);
      entry.reject(new ChronoforkError('gdbRefused', refusal(text(fields, 'msg'))));
    } else {
      entry.resolve(fields);
    }
  }

  private oldest(): PendingCommand | undefined {
    const [first] = this.pending.values();
    return first;
  }

  /** Console text comes in pieces; a logpoint's line may be cut anywhere. */
  private printed(piece: string): void {
    const whole = this.partialLine + piece;
    if (!whole.includes(logMark)) {
      this.partialLine = '';
      this.printedPlainly(whole);
      return;
    }
    const begin = whole.indexOf(logMark);
    const end = whole.indexOf('\n', begin);
    if (begin > 0) this.printedPlainly(whole.slice(0, begin));
    if (end < 0) {
      this.partialLine = whole.slice(begin);
      return;
    }
    this.partialLine = '';
    this.listener?.onLogpoint(JSON.parse(whole.slice(begin + logMark.length, end)) as LogpointMessage);
    if (end + 1 < whole.length) this.printed(whole.slice(end + 1));
  }

  private printedPlainly(text: string): void {
    const entry = this.oldest();
    if (entry?.printed) entry.printed.push(text);
    else this.listener?.onConsole(text);
  }

  private ended(how: string): void {
    const detail = this.lastErrorOutput.trim().split('\n').at(-1) ?? '';
    this.gone = new ChronoforkError(
      'gdbCrashed',
      `gdb is gone: ${how}${detail ? ` (${detail})` : ''}.`,
      'Start the debug session again; if it happens each time, another gdb can be named with "gdbPath".',
    );
    for (const entry of this.pending.values()) entry.reject(this.gone);
    this.pending.clear();
    this.listener?.onExit(this.quitting, this.gone.message);
  }
}

/** gdb's message as a sentence: first line, with a full stop. */
function refusal(message: string): string {
  const line = message.trim().split('\n')[0] || 'gdb refused without saying why';
  return /[.!?]$/.test(line) ? line : `${line}.`;
}

export function cannotStart(path: string, error: NodeJS.ErrnoException): ChronoforkError {
  if (error.code === 'ENOENT')
    return new ChronoforkError(
      'gdbMissing',
      `gdb was not found (tried "${path}").`,
      'Install it (Debian and Ubuntu: sudo apt-get install gdb; Fedora: sudo dnf install gdb) or set "gdbPath" to it.',
    );
  return new ChronoforkError(
    'gdbMissing',
    `gdb could not be started from "${path}": ${error.message}.`,
    'Check "gdbPath".',
  );
}
