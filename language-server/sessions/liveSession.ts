/**
 * One open debug session as the language server sees it: whether it stands and
 * at which stop, and answers that are kept for as long as they are true.
 *
 * An answer belongs to a **view**: the present moment of one stop. Any resume,
 * any change by hand and any jump begins another view, and whatever was asked
 * for the former one is given up. What is about the whole recording
 * (lineCounts.ts) has its own rules.
 *
 * Easy to get wrong: the person's steps cut a question short (the adapter's
 * right of way). It is asked again when the program is at rest, but only while
 * it is still about the same view.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type {
  ArgumentsOf,
  FunctionRange,
  QueryBody,
  ResponseOf,
  SessionState,
  TimeTravelEvents,
  TimeTravelRequest,
} from '../../debug-adapter/protocol/timeTravel.js';
import { AdapterLink, Refused, type CancelToken } from './adapterLink.js';

export type Stop = DebugProtocol.StoppedEvent['body'];

/** After a question was cut short: a person who steps does it again soon. */
const askAgainAfter_ms = 250;
const mostTries = 20;

/** One stop that is being looked at. */
export interface View {
  readonly threadId: number | undefined;
  /** Absent where we have come later. */
  readonly stop: Stop | undefined;
  readonly kept: Map<string, Promise<unknown>>;
}

export class LiveSession {
  /** Undefined: the program runs. */
  view: View | undefined;
  /** Counts up with each view, to say which of several sessions stopped last. */
  lastStopped = 0;
  onChange: () => void = () => undefined;
  onGone: () => void = () => undefined;
  onProgress: (event: string, body: { progressId: string }) => void = () => undefined;
  private present: number | undefined;
  private readonly functions = new Map<string, readonly FunctionRange[]>();

  private constructor(
    readonly adapter: number,
    readonly program: string,
    private readonly link: AdapterLink,
  ) {}

  /** @throws Error when it has ended meanwhile */
  static async open(adapter: number, socket: string): Promise<LiveSession> {
    const link = await AdapterLink.connect(socket);
    const early: [string, unknown][] = [];
    link.onEvent = (event, body) => early.push([event, body]);
    const state: SessionState = await link.timeTravel('chronofork/session', {});
    const session = new LiveSession(adapter, state.program, link);
    if (state.stopped && state.threadId !== undefined) session.begin(state.threadId, undefined);
    link.onEvent = (event, body) => session.hear(event, body);
    link.onGone = () => session.onGone();
    for (const [event, body] of early) session.hear(event, body);
    return session;
  }

  close(): void {
    this.link.close();
  }

  /** The functions of a source file; none while they are not known, or if the program has none of it. */
  async functionsOf(path: string, token?: CancelToken): Promise<readonly FunctionRange[]> {
    const known = this.functions.get(path);
    if (known && (known.length > 0 || !this.view)) return known;
    if (!this.view) return [];
    // A library with it may be loaded later: that there are none is believed for one stop.
    const { functions } = await this.inView('functions ' + path, () =>
      this.ask('chronofork/functions', { source: { path } }, token),
    );
    this.functions.set(path, functions);
    return functions;
  }

  knownFunctionsOf(path: string): readonly FunctionRange[] {
    return this.functions.get(path) ?? [];
  }

  /** What `make` answers, once for each view. One that fails is made again. */
  inView<T>(key: string, make: () => Promise<T>): Promise<T> {
    const { view } = this;
    if (!view) return Promise.reject(new Refused('running', 'The program runs.'));
    let made = view.kept.get(key) as Promise<T> | undefined;
    if (!made) {
      made = make();
      view.kept.set(key, made);
      made.catch(() => view.kept.delete(key));
    }
    return made;
  }

  /** @throws Refused 'stale' when the view has changed meanwhile, or what the adapter says */
  async ask<R extends TimeTravelRequest>(
    command: R,
    args: ArgumentsOf<R>,
    token?: CancelToken,
  ): Promise<ResponseOf<R>> {
    const { view } = this;
    if (!view) throw new Refused('running', 'The program runs.');
    for (let tries = 1; ; tries++) {
      const answer = await this.tryOnce(command, args, token);
      if (this.view !== view) throw new Refused('stale', 'The program has gone on.');
      if (answer !== 'cut short') return answer;
      if (token?.isCancellationRequested || tries === mostTries) throw new Refused('cancelled', 'Cancelled.');
      await new Promise((resolve) => setTimeout(resolve, askAgainAfter_ms));
      if (this.view !== view) throw new Refused('stale', 'The program has gone on.');
    }
  }

  /** A request of the DAP about the present view. */
  async look<T>(command: string, args: object, token?: CancelToken): Promise<T> {
    const { view } = this;
    if (!view) throw new Refused('running', 'The program runs.');
    const answer = await this.link.request<T>(command, args, token);
    if (this.view !== view) throw new Refused('stale', 'The program has gone on.');
    return answer;
  }

  /** Goes to a moment. The person wants it: it is not asked again, and its failure is told. */
  goTo(moment: number): Promise<ResponseOf<'chronofork/seek'>> {
    return this.link.timeTravel('chronofork/seek', { moment });
  }

  private async tryOnce<R extends TimeTravelRequest>(
    command: R,
    args: ArgumentsOf<R>,
    token: CancelToken | undefined,
  ): Promise<ResponseOf<R> | 'cut short'> {
    try {
      const answer = await this.link.timeTravel(command, args, token);
      return wasCutShort(answer) ? 'cut short' : answer;
    } catch (error) {
      if (error instanceof Refused && (error.code === 'cancelled' || error.code === 'running')) return 'cut short';
      throw error;
    }
  }

  private hear(event: string, body: unknown): void {
    if (event.startsWith('progress')) return this.onProgress(event, body as { progressId: string });
    if (event === 'continued' && this.view) {
      this.view = undefined;
      this.onChange();
    } else if (event === 'stopped') {
      const stop = body as Stop;
      this.present = undefined;
      this.begin(stop.threadId ?? this.view?.threadId, stop);
      this.onChange();
    } else if (event === 'invalidated' && this.view) {
      this.changed();
    } else if (event === 'chronofork/timelineChanged') {
      const { present, edited } = body as TimeTravelEvents['chronofork/timelineChanged'];
      const key = present && (edited ? -present.id : present.id);
      // The first after a stop tells its moment; after that a difference is a change that no stop has told.
      const differs = this.present !== undefined && key !== this.present;
      this.present = key;
      if (differs && this.view) this.changed();
    }
  }

  private changed(): void {
    this.begin(this.view?.threadId, this.view?.stop);
    this.onChange();
  }

  private begin(threadId: number | undefined, stop: Stop | undefined): void {
    this.view = { threadId, stop, kept: new Map() };
    this.lastStopped = nextStop++;
  }
}

let nextStop = 1;

/** A query that was ended before its time has looked through a part only. */
function wasCutShort(answer: unknown): boolean {
  const { complete, message } = answer as Partial<QueryBody>;
  return complete === false && message?.startsWith('Cancelled') === true;
}
