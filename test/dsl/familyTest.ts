/** Journeys with a program whose children are followed, each by a session of its own. */
import { ChildSessions } from './childSessions.js';
import { debugTest, type Journey, type JourneyOptions } from './debugTest.js';

/** Options for a program that is told by its first argument what to do. */
export function following(how: string, more: Partial<JourneyOptions> = {}): JourneyOptions {
  return { launch: { args: [how], followChildren: true }, client: { supportsStartDebuggingRequest: true }, ...more };
}

/** The program has ended; so does its session. */
export async function leave(session: Journey): Promise<void> {
  await session.client.request('continue', { threadId: session.threadId });
  await session.client.event('terminated');
}

/** A journey with the sessions of the program's children, all of which are ended before the program's. */
export function familyTest(
  name: string,
  program: string,
  options: JourneyOptions,
  body: (s: Journey, children: ChildSessions) => Promise<void>,
): void {
  debugTest(name, program, options, async (s) => {
    const children = new ChildSessions(s);
    try {
      await body(s, children);
    } catch (error) {
      if (error instanceof Error) error.stack += `\n${children.report()}`;
      await children.close().catch(() => undefined);
      throw error;
    }
    await children.close();
  });
}
