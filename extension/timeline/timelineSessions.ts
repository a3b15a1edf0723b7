/**
 * Follows every Chronofork session: sends our custom requests, receives our
 * custom events, keeps one TimelineModel for each, and tells the views when the
 * active one has changed.
 *
 * While the program runs the adapter says `timelineChanged` up to five times a
 * second. The status bar follows each; the whole timeline is asked for at most
 * once in `reloadPauseMs`, and never while a former request is under way.
 */
import * as vscode from 'vscode';
import type {
  ArgumentsOf,
  Moment,
  ResponseOf,
  Timeline,
  TimeTravelEvents,
  TimeTravelRequest,
} from '../../debug-adapter/protocol/timeTravel.js';
import { debugType } from '../launchConfig.js';
import { VisitedPlaces } from '../moments/visitedPlaces.js';
import { settings } from '../settings.js';
import { TimelineModel } from './timelineModel.js';

/** 250 ms: a list that changes more often cannot be read anyway. */
const reloadPauseMs = 250;

/** As much of the protocol's messages as is looked at. */
interface DebugProtocolMessage {
  readonly type: string;
  readonly event?: string;
  readonly success?: boolean;
  readonly body?: unknown;
}

interface ErrorBody {
  readonly error?: { readonly variables?: { readonly code?: string } };
}

/** One debug session and what is known of its timeline. */
export class TimelineSession {
  readonly model = new TimelineModel();
  readonly visited = new VisitedPlaces(() => settings().visitedPlaces);
  /** The code (docs/protocol.md) of the error that was answered last. */
  lastErrorCode: string | undefined;
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;
  private loading = false;
  private stale = false;
  private ended = false;

  constructor(
    readonly debugSession: vscode.DebugSession,
    private readonly changed: () => void,
  ) {}

  /** Sends a custom request. @throws Error with the adapter's sentence for the user */
  async request<R extends TimeTravelRequest>(command: R, args: ArgumentsOf<R>): Promise<ResponseOf<R>> {
    return (await this.debugSession.customRequest(command, args)) as ResponseOf<R>;
  }

  presentChanged(event: TimeTravelEvents['chronofork/timelineChanged']): void {
    this.model.presentChanged(event);
    this.changed();
    this.reloadSoon();
  }

  /**
   * What the adapter sends, in its order, before VS Code acts on it; `timelineChanged` follows each `stopped`.
   * Custom events come later, when VS Code has passed them on: one of the place before could be taken for this one's.
   */
  received(message: DebugProtocolMessage): void {
    if (message.type === 'event' && message.event === 'stopped') this.stopped = true;
    if (message.type === 'event' && message.event === 'chronofork/timelineChanged')
      this.arrived((message.body as TimeTravelEvents['chronofork/timelineChanged']).present);
    if (message.type === 'response' && message.success === false)
      this.lastErrorCode = (message.body as ErrorBody | undefined)?.error?.variables?.code;
  }

  private arrived(present: Moment | undefined): void {
    if (!this.stopped || !present) return;
    this.stopped = false;
    this.visited.visit({ momentId: present.id, timeMs: present.timeMs, branch: present.branch });
  }

  /** One has gone back or forward, so that the buttons may have to change. */
  visitedChanged(): void {
    this.changed();
  }

  /** Asks for the whole timeline now; for when a view or a pick needs the latest. */
  async reload(): Promise<Timeline | undefined> {
    this.loading = true;
    this.stale = false;
    try {
      this.model.timelineLoaded(await this.request('chronofork/timeline', {}));
      this.changed();
    } catch {
      // The session is ending or has not begun: the event that follows will ask again.
    } finally {
      this.loading = false;
      if (this.stale) this.reloadSoon();
    }
    return this.model.timeline;
  }

  end(): void {
    this.ended = true;
    clearTimeout(this.timer);
  }

  private reloadSoon(): void {
    if (this.loading) {
      this.stale = true;
      return;
    }
    if (this.timer || this.ended) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.reload();
    }, reloadPauseMs);
  }
}

export class TimelineSessions implements vscode.Disposable {
  private readonly sessions = new Map<string, TimelineSession>();
  private readonly didChange = new vscode.EventEmitter<void>();
  private readonly subscriptions: vscode.Disposable[];

  /** The active session's timeline has changed, or another session is active. */
  readonly onDidChange = this.didChange.event;

  constructor(private readonly onCustomEvent: (session: TimelineSession, event: string, body: unknown) => void) {
    this.subscriptions = [
      this.didChange,
      vscode.debug.registerDebugAdapterTrackerFactory(debugType, {
        createDebugAdapterTracker: (session) => ({
          onDidSendMessage: (message: DebugProtocolMessage) => this.begin(session)?.received(message),
        }),
      }),
      vscode.debug.onDidStartDebugSession((session) => this.begin(session)),
      vscode.debug.onDidTerminateDebugSession((session) => this.terminate(session)),
      vscode.debug.onDidChangeActiveDebugSession(() => this.activeChanged()),
      vscode.debug.onDidReceiveDebugSessionCustomEvent((event) => this.receive(event)),
    ];
    if (vscode.debug.activeDebugSession) this.begin(vscode.debug.activeDebugSession);
  }

  /** The session that the user looks at, if it is one of ours. */
  get active(): TimelineSession | undefined {
    const session = vscode.debug.activeDebugSession;
    return session && this.sessions.get(session.id);
  }

  byId(sessionId: string): TimelineSession | undefined {
    return this.sessions.get(sessionId);
  }

  dispose(): void {
    for (const session of this.sessions.values()) session.end();
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  private begin(debugSession: vscode.DebugSession): TimelineSession | undefined {
    if (debugSession.type !== debugType) return undefined;
    let session = this.sessions.get(debugSession.id);
    if (!session) {
      session = new TimelineSession(debugSession, () => this.sessionChanged(debugSession.id));
      this.sessions.set(debugSession.id, session);
      this.activeChanged();
    }
    return session;
  }

  private terminate(debugSession: vscode.DebugSession): void {
    this.sessions.get(debugSession.id)?.end();
    if (this.sessions.delete(debugSession.id)) this.activeChanged();
  }

  /** An event may come before VS Code says that the session has started. */
  private receive(event: vscode.DebugSessionCustomEvent): void {
    const session = this.begin(event.session);
    if (!session) return;
    if (event.event === 'chronofork/timelineChanged') {
      session.presentChanged(event.body as TimeTravelEvents['chronofork/timelineChanged']);
    } else {
      this.onCustomEvent(session, event.event, event.body);
    }
  }

  private sessionChanged(id: string): void {
    if (vscode.debug.activeDebugSession?.id === id) this.activeChanged();
  }

  private activeChanged(): void {
    const active = this.active;
    setContext('chronofork.inThePast', active !== undefined && !active.model.live);
    setContext('chronofork.crashed', active?.model.crashed ?? false);
    setContext('chronofork.crashKnown', active?.model.timeline?.crash !== undefined);
    setContext('chronofork.visitedBefore', active?.visited.can('back') ?? false);
    setContext('chronofork.visitedAfter', active?.visited.can('forward') ?? false);
    setContext('chronofork.severalBranches', active?.model.severalBranches ?? false);
    this.didChange.fire();
  }
}

const contexts = new Map<string, boolean>();

/** Sets a context key for the `when` clauses of package.json, only when it differs. */
export function setContext(key: string, value: boolean): void {
  if (contexts.get(key) === value) return;
  contexts.set(key, value);
  void vscode.commands.executeCommand('setContext', key, value);
}
