/**
 * Everything about time that the Debug Adapter Protocol has no word for: our
 * custom requests (`chronofork/…`) and events. This file is the contract with
 * every client; docs/protocol.md says the same in prose. It imports nothing.
 *
 * A client is expected to treat a moment's `id` as opaque, and to compare the
 * moments of one answer by `order`.
 *
 * A request whose arguments are an empty object may come without any (VS Code
 * leaves them out). A failed `chronofork/…` request answers with a sentence for
 * the user in `message` and `showUser: false`: the client that asked shows it,
 * once.
 */

/**
 * The launch option of that name: what `continue` (and every step forward)
 * does at a past moment where something was changed.
 *
 * - `branch` (the default): goes on live from here, as `chronofork/branch` does;
 * - `discard`: forgets the change and replays what really happened;
 * - `ask`: for a client that can ask its user. `continue` succeeds but does not
 *   run: a `stopped` event follows at once (the client believes that the thread
 *   runs), then `chronofork/editedContinue`. The client then sends
 *   `chronofork/branch` or `chronofork/discardEdits`, and `continue` again.
 */
export type OnEditedContinue = 'ask' | 'branch' | 'discard';

/** A point in time that can be returned to. */
export interface Moment {
  /** Opaque, stable while the session lives. */
  readonly id: number;
  /**
   * Compares the moments of one answer that are on the same branch: a greater
   * number is later. Given anew whenever checkpoints are added or thinned, so
   * that moments of two answers cannot be compared by it.
   */
  readonly order: number;
  /** The number of recorded events passed. */
  readonly event: number;
  /** Milliseconds of the debuggee's run time since its start, as first recorded; approximate between checkpoints. */
  readonly timeMs: number;
  readonly branch: number;
  /** Program counter, as 0x… */
  readonly pc: string;
}

export type CheckpointReason =
  'start' | 'interval' | 'stop' | 'user' | 'bookmark' | 'signal' | 'search' | 'edit' | 'branch';

export interface Checkpoint {
  readonly id: number;
  readonly moment: Moment;
  readonly reason: CheckpointReason;
  /** Memory that only this checkpoint holds: what deleting it would free, in bytes. */
  readonly privateBytes: number;
  /** What was written to memory since the checkpoint before it, in whole pages. */
  readonly writtenBytes?: number;
  /** Wall-clock age in milliseconds. */
  readonly ageMs: number;
  /** Pinned checkpoints are never thinned. */
  readonly pinned: boolean;
  /** The user's name for it (a bookmark), if it has one. */
  readonly name?: string;
  /** What the user has written about it. */
  readonly note?: string;
  /** Where it stands, as far as known; `module`: the library, where no source is known. */
  readonly location?: {
    readonly function?: string;
    readonly path?: string;
    readonly line?: number;
    readonly module?: string;
  };
}

export interface Branch {
  readonly id: number;
  /** 0 has no parent. */
  readonly parent?: number;
  /** The moment on the parent from which it went on. */
  readonly from?: Moment;
  /** Where its own live process stands: going there makes it the present branch. */
  readonly end?: Moment;
  /** Written since its newest checkpoint, as last measured. */
  readonly tailBytes?: number;
  readonly name?: string;
}

export interface Timeline {
  readonly branches: readonly Branch[];
  readonly checkpoints: readonly Checkpoint[];
  readonly begin: Moment;
  /** Where the debuggee's own (live) process stands. */
  readonly end: Moment;
  readonly present: Moment;
  /** True when the present is the live process. */
  readonly live: boolean;
  /** How the program ended, if it has. */
  readonly ended?: { readonly exitCode?: number; readonly signal?: string };
  /** The fatal signal that was met last: the program is kept just before it. */
  readonly crash?: Crash;
  readonly memory: { readonly budgetBytes: number; readonly usedBytes: number };
}

/** A fatal signal: where it struck, and what may be to blame. */
export interface Crash {
  readonly signal: string;
  /** One sentence. */
  readonly description: string;
  /** Where the program is kept: before the instruction that fails. */
  readonly moment: Moment;
  readonly threadId: number;
  readonly location: CodeLocation;
  /** 0x…: what could not be accessed. */
  readonly faultAddress?: string;
  /** Variables of the place that hold the bad address, the likeliest first: `chronofork/lastWrite` with `address` and `size` tells who wrote them. */
  readonly suspects: readonly Suspect[];
}

export interface Suspect {
  readonly expression: string;
  readonly value: string;
  /** Where it is in memory. */
  readonly address: string;
  readonly size: number;
}

/** Where a time-travel request has arrived; a DAP `stopped` event follows it. */
export interface Arrival {
  readonly moment: Moment;
  /** `found`: there; `begin`: nothing earlier; `end`: nothing later; `cancelled`: where it was before. */
  readonly outcome: 'found' | 'begin' | 'end' | 'cancelled';
  /** A sentence for the user when `outcome` is not `found`, or a limit must be named. */
  readonly message?: string;
}

/** What is written: a variable, a child of one, or bare memory. */
export type WrittenPlace =
  | { expression: string; frameId?: number }
  | { variablesReference: number; name: string }
  | { address: string; size: number };

/** At a write: the session stands before the instruction. */
export interface Written extends Arrival {
  readonly expression: string;
  readonly address: string;
  readonly size: number;
  readonly oldValue?: string;
  readonly newValue?: string;
}

/** `singleThread`: what other threads did on the way is passed over, also their breakpoints. */
export interface ReverseStep {
  threadId: number;
  singleThread?: boolean;
}

/** What every query takes: which part of the past (moments of the present branch), and which rows of its answer. */
export interface QueryRange {
  /** Absent: the beginning of the recording. */
  readonly from?: number;
  /** Absent: the end of the present branch, also while the present is before it. */
  readonly to?: number;
  /** The first row that is wanted. */
  readonly start?: number;
  /** How many; 100 without. */
  readonly count?: number;
}

/** Further rows of an answer that was given before. */
export interface QueryPage {
  readonly query: number;
  readonly start?: number;
  readonly count?: number;
}

export interface QueryBody {
  /** Names the answer, for `QueryPage` and as long as its rows' moments can be sought: the last 16 are kept. */
  readonly query: number;
  /** How many rows there are. */
  readonly total: number;
  /** There are rows behind those of this page. */
  readonly more: boolean;
  /** False: there may be more in the past than `total`; `message` says why. */
  readonly complete: boolean;
  readonly message?: string;
}

/** Where a query's row is: `chronofork/seek` goes there. */
export interface QueryRowBase {
  readonly moment: Moment;
  readonly threadId: number;
}

export interface LineHits {
  readonly line: number;
  readonly count: number;
}

export interface ValueRow extends QueryRowBase {
  readonly value: string;
}

export interface LogRow extends QueryRowBase {
  readonly text: string;
}

export interface CodeLocation {
  readonly function?: string;
  readonly path?: string;
  readonly line?: number;
  readonly module?: string;
  readonly pc?: string;
}

/** The moment is that before the write. */
export interface WriteRow extends QueryRowBase {
  readonly oldValue: string;
  readonly newValue: string;
  /** `kernel`: a system call has written. */
  readonly by: 'program' | 'kernel';
  readonly location: CodeLocation;
  /** The innermost first; only with `levels`. */
  readonly stack?: readonly CodeLocation[];
}

/** The moment is where the arguments can be read: behind the function's prologue. */
export interface CallRow extends QueryRowBase {
  readonly arguments: readonly { readonly name: string; readonly value: string }[];
  /** False: not before the end of what was looked at, or it was left in another way (longjmp, an exception). */
  readonly returned: boolean;
  /** Absent: there is none, or it is of a type whose place at the return is not known here. */
  readonly returnValue?: string;
  /** Where it was called from; absent for a call that had begun before. */
  readonly caller?: CodeLocation;
}

export interface DifferenceRow {
  readonly address: string;
  readonly size: number;
  /** A variable's name, `heap block 0x… + N`, or the name of the mapping. */
  readonly place: string;
  readonly kind: 'global' | 'heap' | 'stack' | 'other';
  readonly oldValue: string;
  readonly newValue: string;
}

/** A moment as one would see it there: the innermost stack frame first. */
export interface MomentState {
  readonly moment: Moment;
  readonly threadId: number;
  readonly frames: readonly (CodeLocation & {
    readonly locals: readonly { readonly name: string; readonly type: string; readonly value: string }[];
  })[];
}

/** What a mark is at: `chronofork/seek` with `event` and `branch` goes there (of a stop, with `moment`). */
interface HistoryMarkBase {
  /** The recorded event; of a stop, the number of events passed. */
  readonly event: number;
  /** Of the event as it was recorded. Calls that were recorded without a stop lie evenly between the two stops around them. */
  readonly timeMs: number;
  readonly threadId?: number;
}

export interface StopMark extends HistoryMarkBase {
  readonly kind: 'stop';
  /** Of the `stopped` event. */
  readonly reason: string;
  readonly description?: string;
  /** Its moment, which can be gone to as long as its checkpoint is kept. */
  readonly moment: number;
  readonly location?: { readonly function?: string; readonly path?: string; readonly line?: number };
}

export interface SignalMark extends HistoryMarkBase {
  readonly kind: 'signal';
  readonly signal: string;
  /** A function of the program's was called. */
  readonly handled: boolean;
}

/** One line, at the call that wrote its first byte; or a call whose text is not known (`text` is absent). */
export interface OutputMark extends HistoryMarkBase {
  readonly kind: 'output';
  readonly stream: 'stdout' | 'stderr';
  readonly text?: string;
  readonly bytes: number;
}

export interface ThreadMark extends HistoryMarkBase {
  /** `threadSwitch`: `threadId` is left, and `other` goes on; else `other` begins or ends. */
  readonly kind: 'threadSwitch' | 'threadBegin' | 'threadEnd';
  readonly other: number;
}

export type HistoryMark = StopMark | SignalMark | OutputMark | ThreadMark;
export type HistoryMarkKind = HistoryMark['kind'];

/** Which part of a branch's history, and in what detail. */
export interface HistoryArguments {
  /** Absent: the present branch. */
  readonly branch?: number;
  /** Only these kinds. */
  readonly kinds?: readonly HistoryMarkKind[];
  /** Marks from this event on: the `next` or the `settled` of an earlier answer. */
  readonly fromEvent?: number;
  /** At most so many marks (a few more where several are of one event): 10,000 without; 0: none. */
  readonly count?: number;
  /** Only what is between these times. */
  readonly fromMs?: number;
  readonly toMs?: number;
  /** Into so many equal stretches of time the `overview` is divided; none without. */
  readonly buckets?: number;
}

export interface HistoryOverview {
  readonly fromMs: number;
  readonly toMs: number;
  /** How many marks of each kind are in each stretch. */
  readonly counts: Readonly<Partial<Record<HistoryMarkKind, readonly number[]>>>;
  /** How long each thread ran in each stretch, in milliseconds; one runs at a time. */
  readonly threads: readonly { readonly threadId: number; readonly busyMs: readonly number[] }[];
}

export interface History {
  readonly branch: number;
  /** In the order of their events. */
  readonly marks: readonly HistoryMark[];
  /** There are more, from this event on. */
  readonly next?: number;
  /** Marks before this event are final. Later ones may change: ask again from here, and replace them. */
  readonly settled: number;
  /** A program has replaced the one before (exec) so many times: marks of an earlier number are no more. */
  readonly recording: number;
  /** What the branch has of its own: without what is its parent's. */
  readonly extent: {
    readonly fromEvent: number;
    readonly toEvent: number;
    readonly fromMs: number;
    readonly toMs: number;
  };
  /** Written to memory between two checkpoints, in whole pages; `approximate`: as last measured. */
  readonly memory: readonly {
    readonly fromMs: number;
    readonly toMs: number;
    readonly bytes: number;
    readonly approximate?: boolean;
  }[];
  readonly overview?: HistoryOverview;
  /** False: there were more marks than are kept; `message` says which are not. */
  readonly complete: boolean;
  readonly message?: string;
}

/** A function of a source file, as the debug information has it. */
export interface FunctionRange {
  /** As `chronofork/calls` takes it. */
  readonly name: string;
  readonly line: number;
  readonly endLine: number;
}

/** What is being debugged, and whether it can be asked. */
export interface SessionState {
  /** The adapter's process. */
  readonly adapter: number;
  readonly program: string;
  /** The program stands, and no way through time is under way. */
  readonly stopped: boolean;
  /** The thread that stopped last. */
  readonly threadId?: number;
}

/** request → [arguments, response body] */
export interface TimeTravelRequests {
  'chronofork/timeline': [Record<string, never>, Timeline];
  /** What happened when: marks, memory written, which thread ran. Never waits for the program. */
  'chronofork/history': [HistoryArguments, History];
  /**
   * To a checkpoint, a moment, an end; or to a recorded event, or a time (`branch`: of
   * which; the present one without). A time leads to the last event or checkpoint until
   * then. `passing`: only to look on the way; the place is not kept when it is left.
   */
  'chronofork/seek': [
    (
      | { checkpoint: number }
      | { moment: number }
      | { to: 'begin' | 'end' }
      | { event: number; branch?: number; passing?: boolean }
      | { timeMs: number; branch?: number; passing?: boolean }
    ),
    Arrival,
  ];
  /** `create`, `list`, `delete`, `pin`, `unpin`, `rename`, `note`. A bookmark is a pinned checkpoint with a name. */
  'chronofork/checkpoint': [
    (
      | { action: 'list' }
      | { action: 'create'; name?: string; pinned?: boolean }
      | { action: 'delete' | 'pin' | 'unpin'; id: number }
      | { action: 'rename'; id: number; name: string }
      | { action: 'note'; id: number; note: string }
    ),
    { checkpoints: readonly Checkpoint[]; checkpoint?: Checkpoint },
  ];
  'chronofork/reverseStepIn': [ReverseStep & { granularity?: 'statement' | 'line' | 'instruction' }, Arrival];
  'chronofork/reverseStepOver': [ReverseStep & { granularity?: 'statement' | 'line' | 'instruction' }, Arrival];
  'chronofork/reverseStepOut': [ReverseStep, Arrival];
  'chronofork/lastWrite': [WrittenPlace, Written];
  /** The first in the recording; of a variable on the stack, since its function was called. */
  'chronofork/firstWrite': [WrittenPlace, Written];
  /** The first after the present moment: that is, behind the instruction that one stands at. */
  'chronofork/nextWrite': [WrittenPlace, Written];
  /**
   * To the last time before now that a line was executed, in whichever stack
   * frame. `line` of the answer is the one that has code: a line without any
   * stands for the next that has. Breakpoints that were met later win.
   */
  'chronofork/runBackTo': [{ path: string; line: number }, Arrival & { line: number }];
  /** Goes on live from the present past moment; the former line stays. */
  'chronofork/branch': [{ name?: string }, { branch: Branch; message?: string; files: readonly string[] }];
  /** An empty name gives back the one that the branch began with. */
  'chronofork/renameBranch': [{ id: number; name: string }, { branches: readonly Branch[] }];
  /**
   * Forgets what was changed at the present past moment: the same moment, as it
   * was recorded. An `invalidated` event follows, not `stopped`, so that a
   * `continue` may be sent as soon as this is answered.
   */
  'chronofork/discardEdits': [Record<string, never>, Arrival];
  /** After a fatal signal: to the last checkpoint before it. */
  'chronofork/replayCrash': [Record<string, never>, Arrival];
  /** How often each line of a file that has code was reached: as often as a breakpoint on it would have stopped. */
  'chronofork/hitCounts': [
    (QueryRange & { source: { path: string }; line?: number; endLine?: number; functions?: boolean }) | QueryPage,
    QueryBody & { lines: readonly LineHits[]; functions?: readonly (FunctionRange & { count: number })[] },
  ];
  /** An expression at every hit of a line. */
  'chronofork/valueHistory': [
    (QueryRange & { source: { path: string }; line: number; expression: string; condition?: string }) | QueryPage,
    QueryBody & { expression: string; rows: readonly ValueRow[] },
  ];
  /** A logpoint over the past: `message` holds {expressions}. */
  'chronofork/log': [
    (QueryRange & { source: { path: string }; line: number; message: string; condition?: string }) | QueryPage,
    QueryBody & { rows: readonly LogRow[] },
  ];
  /** All writes to a place in memory of at most 32 bytes; `levels` of the stack with each. */
  'chronofork/writes': [
    (
      | (QueryRange & { levels?: number } & (
            | { expression: string; frameId?: number }
            | { variablesReference: number; name: string }
            | { address: string; size: number }
          ))
      | QueryPage
    ),
    QueryBody & { expression: string; address: string; size: number; rows: readonly WriteRow[] },
  ];
  /** All calls of a function; `source` tells functions of the same name in several files apart. */
  'chronofork/calls': [
    (QueryRange & { function: string; source?: { path: string } }) | QueryPage,
    QueryBody & { function: string; returnType: string; rows: readonly CallRow[] },
  ];
  /** What memory differs between two moments. */
  'chronofork/diff': [
    (QueryRange & { from: number; to: number }) | QueryPage,
    QueryBody & { rows: readonly DifferenceRow[] },
  ];
  /** The functions of a source file; none if nothing loaded was built from it. */
  'chronofork/functions': [{ source: { path: string } }, { functions: readonly FunctionRange[] }];
  'chronofork/session': [Record<string, never>, SessionState];
  /** Stack and local variables of some moments; `levels`: 20 without. */
  'chronofork/states': [{ moments: readonly number[]; levels?: number }, { states: readonly MomentState[] }];
  /** What `Continue` would do now: `edited` means that something was changed in the past. */
  'chronofork/present': [
    Record<string, never>,
    { live: boolean; edited: boolean; behindMs: number; moment: Moment; branch: number },
  ];
}

export type TimeTravelRequest = keyof TimeTravelRequests;
export type ArgumentsOf<R extends TimeTravelRequest> = TimeTravelRequests[R][0];
export type ResponseOf<R extends TimeTravelRequest> = TimeTravelRequests[R][1];

export interface TimeTravelEvents {
  /** Checkpoints came or went, a branch began, or the present moved. Sent at most every 200 ms while the debuggee runs. */
  'chronofork/timelineChanged': {
    live: boolean;
    edited: boolean;
    behindMs: number;
    present?: Moment;
    branch: number;
    checkpointCount: number;
    /** The program runs: `present` is where it was when last looked at. */
    running?: boolean;
  };
  /**
   * Going forward was refused because something was changed here; only with the
   * launch option `onEditedContinue: 'ask'`. `command` is the request to send
   * again when the user has answered.
   */
  'chronofork/editedContinue': { threadId: number; command: 'continue' | 'next' | 'stepIn' | 'stepOut' };
  /** Something the user must know once: a limit, a divergence, a lost checkpoint. */
  'chronofork/notice': { severity: 'info' | 'warning' | 'error'; message: string };
}
