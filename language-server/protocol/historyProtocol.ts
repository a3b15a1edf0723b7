/**
 * What the language server and its client say to each other beyond the
 * Language Server Protocol. All of it is optional: a client that announces
 * nothing gets what plain LSP has. It imports nothing; docs/editors.md says the
 * same in prose.
 */

/** `initializationOptions`. */
export interface HistoryClientOptions {
  /** The client draws `chronofork/lineCounts` itself; without it the counts are inlay hints. */
  readonly lineCounts?: boolean;
  /** The client shows `chronofork/list`; without it a list is a diagnostic at its line. */
  readonly lists?: boolean;
  /** The client says by `chronofork/follow` which session is looked at; without it the server finds out. */
  readonly follows?: boolean;
  /** Links of the form `command:…` work in hovers. */
  readonly commandLinks?: boolean;
  /** `chronofork.history`, for clients without `workspace/configuration`. */
  readonly settings?: Partial<HistorySettings>;
}

/** The section `chronofork.history` of the settings. */
export interface HistorySettings {
  readonly codeLens: boolean;
  readonly lineCounts: boolean;
  readonly values: boolean;
  readonly hover: boolean;
  readonly crashes: boolean;
  /** Recordings up to this long are counted without being asked. */
  readonly countAutomaticallySeconds: number;
}

export const defaultSettings: HistorySettings = {
  codeLens: true,
  lineCounts: true,
  values: true,
  hover: true,
  crashes: true,
  countAutomaticallySeconds: 10,
};

/** Client → server, a notification: what the person looks at. Nothing: no session of ours. */
export interface Follow {
  /** The adapter's process, from `chronofork/session`. */
  readonly adapter?: number;
  readonly threadId?: number;
  /** The DAP's number of a stack frame. */
  readonly frameId?: number;
}

/** Server → client, a notification: how often each line was reached. No lines: nothing is known any more. */
export interface LineCounts {
  readonly uri: string;
  /** Lines from 0 on. */
  readonly lines: readonly { readonly line: number; readonly count: number }[];
  /** Where the program stands, if it is in this file. */
  readonly present?: number;
}

/** One row of a list: where it leads. */
export interface ListRow {
  readonly label: string;
  readonly description: string;
  readonly go: GoToMoment;
  readonly path?: string;
  /** From 1 on. */
  readonly line?: number;
}

/** Server → client, a notification: an answer that is to be looked through. */
export interface HistoryList {
  readonly title: string;
  /** What limits it: there are more, say. */
  readonly message?: string;
  readonly rows: readonly ListRow[];
}

/** The argument of the command `chronofork.history.goToMoment`. */
export interface GoToMoment {
  readonly adapter: number;
  readonly moment: number;
}

/** Which call of a function. */
export type WhichCall = 'first' | 'previous' | 'next' | 'last';

/** The commands of the server (`workspace/executeCommand`), each with one argument. */
export interface HistoryCommands {
  'chronofork.history.goToMoment': GoToMoment;
  'chronofork.history.goToCall': { uri: string; name: string; which: WhichCall };
  'chronofork.history.listCalls': { uri: string; name: string } | { uri: string; line: number };
  'chronofork.history.listWrites': { uri: string; expression: string };
  'chronofork.history.logExpression': { uri: string; line: number; expression: string };
  'chronofork.history.count': { uri: string };
}

export type HistoryCommand = keyof HistoryCommands;

export const historyCommands: readonly HistoryCommand[] = [
  'chronofork.history.goToMoment',
  'chronofork.history.goToCall',
  'chronofork.history.listCalls',
  'chronofork.history.listWrites',
  'chronofork.history.logExpression',
  'chronofork.history.count',
];

export const followMethod = 'chronofork/follow';
export const lineCountsMethod = 'chronofork/lineCounts';
export const listMethod = 'chronofork/list';
