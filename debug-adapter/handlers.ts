/** What a handler of one DAP request is, and what it may use. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Client } from './client.js';
import type { CoreModule } from './core/core.js';
import type { Debuggee, Ending } from './debuggee.js';
import type { MiConnection } from './gdb/miConnection.js';

export interface Context {
  readonly client: Client;
  /** The request's number, by which the client may cancel it. */
  readonly requestId: number;
  /** Loads the native core when first asked for. */
  core(): CoreModule;
  /**
   * A gdb of that path, set up for our use; whoever takes it ends it.
   *
   * @throws ChronoforkError 'gdbMissing', 'gdbTooOld', 'gdbNoPython', 'gdbCrashed'
   */
  gdb(path: string): Promise<MiConnection>;
  /** @throws ChronoforkError 'notLaunched' */
  debuggee(): Debuggee;
  /**
   * A session has one debuggee: starts it, unless there is one or one is being started.
   *
   * @throws ChronoforkError 'alreadyLaunched', and whatever `start` throws
   */
  launch(start: () => Promise<Debuggee>): Promise<void>;
  /** Does it after the response to the request being handled has been sent. */
  afterResponse(action: () => void): void;
  /** What becomes of the program when the client does not say it. */
  usualEnding(): Ending;
  /** Ends everything; sends `terminated` if that was not done. */
  shutDown(ending: Ending): Promise<void>;
}

/** Answers with the body of the response; what it throws becomes an error response. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each handler names its own type of arguments
export type Handler = (context: Context, args: any, request: DebugProtocol.Request) => Promise<unknown>;
export type Handlers = Record<string, Handler>;
