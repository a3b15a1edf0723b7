/**
 * Whether the debuggee runs, seen through gdb: one resuming command at a time,
 * and a promise for the stop that ends it.
 *
 *     run('-exec-next') ──▶ ^running … *stopped ──▶ resolves with the stop
 *     interrupt()       ──▶ the run ends with a stop marked `interrupted`
 *     whileStopped(f)   ──▶ stops silently if need be, does f, goes on
 *
 * gdb in all-stop mode answers nothing useful while the target runs: so
 * breakpoints are changed inside whileStopped().
 *
 * Easy to get wrong: a silent interruption may lose a race against a real
 * stop; then the real one is reported and nothing is resumed. An interrupted
 * `next` is not continued by `next`, which would step in the wrong frame:
 * first the functions called since are finished.
 */
import { ChronoforkError } from '../errors.js';
import type { Gdb } from './miConnection.js';
import { text, type MiTuple } from './miParser.js';

export interface Stop {
  /** gdb's reason; '' at the ends of history and after an armed jump on gdb < 14. */
  reason: string;
  fields: MiTuple;
  /** It came from interrupt(). */
  interrupted: boolean;
}

/** Where a step began: what is needed to take it up again after a silent interruption. */
export interface StepOrigin {
  tid: number;
  cfa: string | null;
  file: string;
  line: number;
}

/** A target answers an interrupt within milliseconds; under load within tenths of a second. */
const interruptAgainAfter_ms = 400;

interface Run {
  command: string;
  origin: StepOrigin | undefined;
  interruptible: boolean;
  resolve(stop: Stop): void;
  reject(error: unknown): void;
}

export class Execution {
  private run_: Run | undefined;
  private interruptAsked = false;
  private silent: { promise: Promise<boolean>; resolve(resumable: boolean): void } | undefined;
  private lock: Promise<unknown> = Promise.resolve();
  /** For stops of runs that gdb began by itself (a command typed into the console). */
  onUnexpectedStop: (stop: Stop) => void = () => undefined;
  private consoleRunning = false;
  private stoppedThread = '';
  private interrupting: NodeJS.Timeout | undefined;

  constructor(private readonly gdb: Gdb) {}

  get running(): boolean {
    return this.run_ !== undefined || this.consoleRunning;
  }

  /** A run that may be interrupted for a moment is under way. */
  get interruptible(): boolean {
    return this.run_?.interruptible ?? false;
  }

  /** @throws ChronoforkError 'running' */
  requireStopped(): void {
    if (this.running && !this.silent)
      throw new ChronoforkError('running', 'The program is running.', 'Pause it first.');
  }

  /**
   * Resumes with an MI command and resolves at the stop.
   *
   * @param origin         given for steps, so that they can be taken up again
   * @param interruptible  false for jumps in time: those are cancelled in the core instead
   */
  async run(command: string, origin?: StepOrigin, interruptible = true): Promise<Stop> {
    if (this.run_) throw new ChronoforkError('running', 'The program is running already.', 'Pause it first.');
    const stopped = new Promise<Stop>((resolve, reject) => {
      this.run_ = { command, origin, interruptible, resolve, reject };
    });
    this.interruptAsked = false;
    this.resume(command);
    return stopped;
  }

  /**
   * Resumes for a jump in time, of which gdb knows nothing but that it ends. The
   * thread that stopped last must be gdb's: of another one that stands at a
   * breakpoint it would wait for ever for a step over that.
   */
  runJump(): Promise<Stop> {
    const thread = this.stoppedThread === '' ? '' : ` --thread ${this.stoppedThread}`;
    return this.run(`-exec-continue${thread} --reverse`, undefined, false);
  }

  /** Asks the running debuggee to stop; false if there is nothing to interrupt. */
  async interrupt(): Promise<boolean> {
    if (!this.running) return false;
    this.interruptAsked = true;
    if (!this.silent) this.keepInterrupting();
    return true;
  }

  /** Does `action` with the debuggee stopped, and lets it go on afterwards if it ran. One at a time. */
  whileStopped<T>(action: () => Promise<T>): Promise<T> {
    const result = this.lock.then(() => this.stoppedAround(action));
    this.lock = result.catch(() => undefined);
    return result;
  }

  /** `*running` and `*stopped` of gdb come here. */
  onExec(className: string, fields: MiTuple): void {
    if (className === 'running') {
      if (!this.run_) this.consoleRunning = true;
      return;
    }
    if (className !== 'stopped') return;
    this.consoleRunning = false;
    clearInterval(this.interrupting);
    this.stoppedThread = text(fields, 'thread-id');
    const stop: Stop = { reason: text(fields, 'reason'), fields, interrupted: this.interruptAsked };
    if (this.silent) {
      const resumable = isInterruption(stop) && this.run_ !== undefined && !this.interruptAsked;
      if (!resumable) this.finish(stop);
      this.silent.resolve(resumable);
      return;
    }
    if (this.run_) this.finish(stop);
    else this.onUnexpectedStop(stop);
  }

  /** gdb is gone: nothing will ever stop. */
  abandon(error: Error): void {
    clearInterval(this.interrupting);
    this.run_?.reject(error);
    this.run_ = undefined;
    this.silent?.resolve(false);
  }

  /**
   * Interrupts until there is a stop: one that reaches the target while gdb is
   * between two resumes of its own (a library was loaded) is lost.
   */
  private keepInterrupting(): void {
    const ask = () => void this.gdb.command('-exec-interrupt').catch(() => undefined);
    clearInterval(this.interrupting);
    this.interrupting = setInterval(ask, interruptAgainAfter_ms);
    ask();
  }

  private finish(stop: Stop): void {
    const run = this.run_;
    this.run_ = undefined;
    if (run) run.resolve(stop);
    else this.onUnexpectedStop(stop);
  }

  private resume(command: string): void {
    this.gdb.command(command).catch((error: unknown) => {
      const run = this.run_;
      this.run_ = undefined;
      run?.reject(error);
      this.silent?.resolve(false);
    });
  }

  private async stoppedAround<T>(action: () => Promise<T>): Promise<T> {
    if (!this.run_) return action();
    if (!this.run_.interruptible) {
      await this.untilStopped();
      return action();
    }
    let resolve: (resumable: boolean) => void = () => undefined;
    const promise = new Promise<boolean>((done) => (resolve = done));
    this.silent = { promise, resolve };
    this.keepInterrupting();
    const resumable = await promise;
    try {
      return await action();
    } finally {
      if (resumable && this.run_) await this.takeUp(this.run_);
      this.silent = undefined;
    }
  }

  private async untilStopped(): Promise<void> {
    // Jumps take milliseconds; they have no other observer than their own caller.
    while (this.run_) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  private async takeUp(run: Run): Promise<void> {
    this.silent = undefined;
    if (this.interruptAsked) {
      this.finish({ reason: 'signal-received', fields: { 'signal-name': 'SIGINT' }, interrupted: true });
      return;
    }
    if (!run.origin) return this.resume(run.command);
    await this.takeUpStep(run, run.origin);
  }

  /** Finishes what the step has called since, then steps again if the line is still the same. */
  private async takeUpStep(run: Run, origin: StepOrigin): Promise<void> {
    const { level } = await this.gdb.call<{ level: number | null }>('level_of', { tid: origin.tid, cfa: origin.cfa });
    if (level === null || level === 0) return this.resume(run.command);
    const outer = { ...run };
    run.resolve = (stop) => {
      const returned = stop.reason === 'function-finished' && !stop.interrupted;
      if (!returned) return outer.resolve(stop);
      this.gdb
        .call<{ file: string; line: number }>('where', { tid: origin.tid })
        .then((now) => {
          if (now.file !== origin.file || now.line !== origin.line) return outer.resolve(stop);
          this.run_ = { ...outer };
          this.resume(outer.command);
        })
        .catch(outer.reject);
    };
    this.resume(`-exec-finish --thread ${await this.currentThread()} --frame ${level - 1}`);
  }

  private async currentThread(): Promise<string> {
    return text(await this.gdb.command('-thread-info'), 'current-thread-id') || '1';
  }
}

/** The stop that `-exec-interrupt` makes, as far as a stop can tell. */
function isInterruption(stop: Stop): boolean {
  if (stop.reason !== 'signal-received') return false;
  return ['SIGINT', '0', 'SIGTRAP', 'SIGSTOP'].includes(text(stop.fields, 'signal-name'));
}
