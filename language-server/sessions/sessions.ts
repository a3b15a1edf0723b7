/**
 * The debug sessions that are open, and which of them a source file belongs to:
 * the one that the client says it follows, or else the one that stopped last
 * among those whose program was built from the file.
 *
 * That a session has begun is found by looking (findSessions.ts), twice a
 * second: a file of some kilobytes is read. Nothing tells it otherwise in an
 * editor whose debugger is another plugin.
 */
import type { Follow } from '../protocol/historyProtocol.js';
import type { CancelToken } from './adapterLink.js';
import { findSessions } from './findSessions.js';
import { LiveSession } from './liveSession.js';

const lookEvery_ms = 500;

export class Sessions {
  /** A session came, went, stopped, went on, or another is followed. */
  onChange: (session: LiveSession | undefined) => void = () => undefined;
  onProgress: (event: string, body: { progressId: string }) => void = () => undefined;
  private readonly open = new Map<number, LiveSession>();
  private readonly connecting = new Set<number>();
  private timer: NodeJS.Timeout | undefined;
  private follows = false;
  private followed: Follow = {};

  /** @param follows  the client will say which session is looked at */
  start(follows: boolean): void {
    this.follows = follows;
    this.timer = setInterval(() => this.look(), lookEvery_ms);
    this.look();
  }

  stop(): void {
    clearInterval(this.timer);
    for (const session of this.open.values()) session.close();
    this.open.clear();
  }

  follow(followed: Follow): void {
    this.followed = followed;
    this.look();
    this.onChange(this.byAdapter(followed.adapter));
  }

  byAdapter(adapter: number | undefined): LiveSession | undefined {
    return adapter === undefined ? undefined : this.open.get(adapter);
  }

  /** The stack frame that the person looks at, in that session. */
  frameIn(session: LiveSession): Follow {
    return this.followed.adapter === session.adapter ? this.followed : {};
  }

  /** Those that are looked at, the one that stopped last first. */
  get inSight(): LiveSession[] {
    const all = [...this.open.values()].filter(({ adapter }) => !this.follows || adapter === this.followed.adapter);
    return all.sort((one, other) => other.lastStopped - one.lastStopped);
  }

  async sessionFor(path: string, token?: CancelToken): Promise<LiveSession | undefined> {
    for (const session of this.inSight) {
      const functions = await session.functionsOf(path, token).catch(() => session.knownFunctionsOf(path));
      if (functions.length > 0) return session;
    }
    return undefined;
  }

  private look(): void {
    for (const { adapter, socket } of findSessions()) {
      if (this.open.has(adapter) || this.connecting.has(adapter)) continue;
      this.connecting.add(adapter);
      LiveSession.open(adapter, socket)
        .then((session) => this.admit(session))
        .catch(() => undefined) // it has ended while it was found
        .finally(() => this.connecting.delete(adapter));
    }
  }

  private admit(session: LiveSession): void {
    this.open.set(session.adapter, session);
    session.onChange = () => this.onChange(session);
    session.onProgress = (event, body) => this.onProgress(event, body);
    session.onGone = () => {
      this.open.delete(session.adapter);
      session.view = undefined;
      this.onChange(session);
    };
    this.onChange(session);
  }
}
