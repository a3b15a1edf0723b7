/**
 * What an editor does when an adapter asks it to `startDebugging`: it starts
 * another adapter, and gives it the configuration and the breakpoints.
 */
import { AdapterClient } from './adapterClient.js';
import { Journey } from './debugTest.js';

interface StartDebugging {
  request: 'attach' | 'launch';
  configuration: Record<string, unknown>;
}

/** No child is waited for longer than this. */
const patience_ms = 30_000;

export class ChildSessions {
  /** All that were asked for, in order. */
  readonly asked: StartDebugging[] = [];
  readonly sessions: Journey[] = [];
  private readonly coming: StartDebugging[] = [];
  private waiting: ((asked: StartDebugging) => void)[] = [];

  /** @param command  how their adapters are started, as another user; as usual without */
  constructor(
    private readonly parent: Journey,
    private readonly command?: string[],
  ) {
    this.answer(parent);
  }

  /** Answers a session's wish for further ones, also that of a child for its own children. */
  answer(session: Journey): void {
    session.client.onReverseRequest = (command, args) => {
      if (command !== 'startDebugging') throw new Error(`not supported: ${command}`);
      const asked = args as StartDebugging;
      this.asked.push(asked);
      const waiter = this.waiting.shift();
      if (waiter) waiter(asked);
      else this.coming.push(asked);
      return {};
    };
  }

  /** The next child's session, attached; nothing of it has run. Breakpoints can be set. */
  async next(): Promise<Journey> {
    return this.start(await this.nextAsked());
  }

  /** What the next session is asked for with, for a test that starts it itself or not at all. */
  async nextAsked(): Promise<StartDebugging> {
    const asked = this.coming.shift();
    if (asked) return asked;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no child session was asked for')), patience_ms);
    });
    const coming = new Promise<StartDebugging>((resolve) => this.waiting.push(resolve));
    return Promise.race([coming, late]).finally(() => clearTimeout(timer));
  }

  async start({ request, configuration }: StartDebugging): Promise<Journey> {
    const env = this.command ? { CHRONOFORK_LOG_FILE: '' } : {};
    const client = new AdapterClient(`child ${String(configuration.pid)}`, this.command, env);
    const session = new Journey(client, this.parent.program, { client: { supportsStartDebuggingRequest: true } });
    this.sessions.push(session);
    this.answer(session);
    await session.begin(request, configuration);
    return session;
  }

  /** Ends them all. @throws Error that names what one has left behind */
  async close(): Promise<void> {
    for (const session of this.sessions) await session.client.close();
  }

  report(): string {
    return this.sessions.map(({ client }, index) => `=== child session ${index + 1}\n${client.report()}`).join('\n');
  }
}
