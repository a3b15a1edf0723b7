/**
 * Jumps in time: arms the core, tells gdb to continue backwards, and waits for
 * both to say that it is done.
 *
 *     core.arm(operation) ─┐
 *     -exec-continue --reverse ─▶ gdb ─ bc ─▶ core carries it out ─▶ *stopped
 *                          └──────────────────────────────────────▶ OperationResult
 *
 * gdb believes that it has continued backwards, so it forgets all it knew and
 * asks anew. One jump at a time, and one operation (a request's jumps, taken
 * together): its progress is reported, and it can be cancelled.
 */
import type { Core, OperationResult, TimeOperation } from '../core/core.js';
import { ChronoforkError } from '../errors.js';
import type { Execution } from '../gdb/execution.js';
import { Log } from '../log.js';
import type { Operation } from './operation.js';

const log = new Log('time');

export class TimeTravel {
  private operation_: Operation | undefined;
  private whenOver: (() => void)[] = [];

  constructor(
    private readonly core: Core,
    private readonly execution: Execution,
  ) {
    core.on('progress', (fraction, text) => this.operation_?.progress.update(fraction, text));
  }

  /** What is under way on behalf of a request. */
  get operation(): Operation | undefined {
    return this.operation_;
  }

  /** From here on jumps belong to `operation`, until `end`. */
  begin(operation: Operation): void {
    this.operation_ = operation;
  }

  end(): void {
    this.operation_?.end();
    this.operation_ = undefined;
    for (const resolve of this.whenOver.splice(0)) resolve();
  }

  /** Resolves when no operation is under way. */
  async idle(): Promise<void> {
    while (this.operation_) await new Promise<void>((resolve) => this.whenOver.push(resolve));
  }

  /**
   * Carries out one operation; gdb has a fresh view of the moment arrived at
   * when this resolves. After a cancel it is not begun: `cancelled`.
   *
   * @throws ChronoforkError the core's, when the operation failed (the session is where it was)
   */
  async jump(operation: TimeOperation): Promise<OperationResult> {
    if (this.operation_?.cancelled) return { outcome: 'cancelled', moment: this.core.present().moment };
    const began_ms = performance.now();
    const armed = this.core.arm(operation);
    const resumed = this.execution.runJump();
    // If gdb refuses to resume, nobody would carry the operation out: the next resume must not.
    resumed.catch(() => this.core.disarm());
    const [, result] = await Promise.all([resumed, armed]);
    log.write(
      'info',
      `${operation.kind}: ${result.outcome} in ${(performance.now() - began_ms).toFixed(1)} ms at ${result.moment.pc}`,
    );
    if (result.outcome === 'failed') {
      const error = result.error ?? { code: 'coreFailed', message: 'The jump in time failed.', remedy: '' };
      throw new ChronoforkError(error.code, error.message, error.remedy);
    }
    return result;
  }

  /** A step forwards within a jump: the way gdb itself arrives at a place. */
  async next(): Promise<void> {
    await this.execution.run('-exec-next', undefined, false);
  }
}
