/**
 * One request's way through time, of one jump or of many: its progress, and
 * how the client ends it before its time.
 *
 * Easy to get wrong: a cancel that comes between two jumps, or before the core
 * has heard of the first, would be lost. So it is remembered here (the next
 * jump does not begin) and said again until the operation has ended.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Progress } from '../progress.js';

/** The core looks up within milliseconds; more often than this is no use. */
const cancelAgainAfter_ms = 100;

export class Operation {
  private asked = false;
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param requestId  the DAP request that began it
   * @param interrupt  ends what is under way right now; may be called again and again
   */
  constructor(
    readonly requestId: number,
    readonly progress: Progress,
    private readonly interrupt: () => void,
  ) {}

  get cancelled(): boolean {
    return this.asked;
  }

  /** Whether a DAP cancel means this operation; one that names nothing means whatever is under way. */
  isMeantBy({ requestId, progressId }: DebugProtocol.CancelArguments): boolean {
    if (requestId === undefined && progressId === undefined) return true;
    return requestId === this.requestId || progressId === this.progress.id;
  }

  cancel(): void {
    if (this.asked) return;
    this.asked = true;
    this.interrupt();
    this.timer = setInterval(this.interrupt, cancelAgainAfter_ms);
  }

  end(): void {
    clearInterval(this.timer);
    this.progress.end();
  }
}
