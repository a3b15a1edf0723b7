/**
 * Jumps in time: arms the core, tells gdb to continue backwards, and waits for
 * both to say that it is done.
 *
 *     core.arm(operation) ─┐
 *     -exec-continue --reverse ─▶ gdb ─ bc ─▶ core carries it out ─▶ *stopped
 *                          └──────────────────────────────────────▶ OperationResult
 *
 * gdb believes that it has continued backwards, so it forgets all it knew and
 * asks anew. One jump at a time; progress is reported and can be cancelled.
 */
import type { Core, OperationResult, TimeOperation } from '../core/core.js';
import { ChronoforkError } from '../errors.js';
import type { Execution } from '../gdb/execution.js';
import { Log } from '../log.js';

const log = new Log('time');

export class TimeTravel {
  /** Where the core's progress goes while a jump is under way. */
  onProgress: (fraction: number, text: string) => void = () => undefined;
  private underWay = false;

  constructor(
    private readonly core: Core,
    private readonly execution: Execution,
  ) {
    core.on('progress', (fraction, text) => {
      if (this.underWay) this.onProgress(fraction, text);
    });
  }

  get busy(): boolean {
    return this.underWay;
  }

  /**
   * Carries out one operation; gdb has a fresh view of the moment arrived at
   * when this resolves.
   *
   * @throws ChronoforkError the core's, when the operation failed (the session is where it was)
   */
  async jump(operation: TimeOperation): Promise<OperationResult> {
    const began_ms = performance.now();
    this.underWay = true;
    try {
      const armed = this.core.arm(operation);
      // If gdb refuses to resume, the operation stays armed and its promise open.
      const [, result] = await Promise.all([this.execution.run('-exec-continue --reverse', undefined, false), armed]);
      log.write(
        'info',
        `${operation.kind}: ${result.outcome} in ${(performance.now() - began_ms).toFixed(1)} ms at ${result.moment.pc}`,
      );
      if (result.outcome === 'failed') {
        const error = result.error ?? { code: 'coreFailed', message: 'The jump in time failed.', remedy: '' };
        throw new ChronoforkError(error.code, error.message, error.remedy);
      }
      return result;
    } finally {
      this.underWay = false;
    }
  }

  /** A step forwards within a jump: the way gdb itself arrives at a place. */
  async next(): Promise<void> {
    await this.execution.run('-exec-next', undefined, false);
  }

  /** Ends the jump under way, if there is one. */
  cancel(): boolean {
    if (this.underWay) this.core.cancel();
    return this.underWay;
  }
}
