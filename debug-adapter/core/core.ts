/**
 * The only door from the adapter to the native core. Implemented by
 * `nativeCore.ts` (the addon) and, for tests of the layers above, by
 * `fakeCore.ts`.
 *
 * The core serves gdb on a Unix socket; this interface is the adapter's own
 * channel beside it, usable while the debuggee runs. Operations that move in
 * time are *armed* here and carried out when gdb next resumes in reverse
 * (`-exec-continue --reverse`): gdb then forgets all it knew, and reports an
 * ordinary stop.
 */
import type { Branch, Checkpoint, Moment, Timeline } from '../protocol/timeTravel.js';

export interface LaunchOptions {
  /** Absolute path of an x86-64 ELF executable (or script with an interpreter line). */
  program: string;
  args: string[];
  cwd: string;
  /** The whole environment, `NAME=value`. */
  env: string[];
  /** Descriptors of this process that become 0, 1 and 2; the caller closes its own copies afterwards. */
  stdio: [number, number, number];
  /** Make descriptor 0 the controlling terminal (it must be a pty's slave). */
  controllingTerminal: boolean;
  disableAslr: boolean;
  /** Milliseconds of run time between periodic checkpoints; 0: none but at stops. */
  checkpointIntervalMs: number;
  /** Budget for all checkpoints; 0: a quarter of the free memory. */
  checkpointMemoryBytes: number;
  /** Each process that it starts is handed over: see the event `childParked`. */
  followChildren?: boolean;
}

export interface AttachOptions {
  /** As in LaunchOptions; the defaults are 100 ms and a quarter of the free memory. */
  checkpointIntervalMs?: number;
  checkpointMemoryBytes?: number;
  followChildren?: boolean;
  /** Of a process that another core has parked: the process of that core, to which it goes back when detached. */
  guard?: number;
}

export interface AttachOptions {
  /** As in LaunchOptions; the defaults are 100 ms and a quarter of the free memory. */
  checkpointIntervalMs?: number;
  checkpointMemoryBytes?: number;
}

/** Candidates for the end of a search backwards. */
export interface SearchPlace {
  /** 0x… */
  address: string;
  /**
   * Counts only when it differs from the group counted last: all starts of one
   * source line share a group. 0: counts each time.
   */
  group: number;
  /** Counts only while `rspMin <= rsp < rspMax` (0x…): the same stack frame. Absent: always. */
  rspMin?: string;
  rspMax?: string;
}

/** Addresses as 0x…; `end` is the first behind it. */
export interface AddressRange {
  start: string;
  end: string;
}

export type TimeOperation =
  /** `passing`: only to look: no checkpoint is kept of the place when it is left. */
  | { kind: 'seek'; moment: number; passing?: boolean }
  | { kind: 'seekCheckpoint'; checkpoint: number }
  /**
   * To a recorded event: a system call is about to be made there, a signal strikes, a thread switch has been
   * made. To a time: behind the last event until then, or at a later checkpoint. Without `branch`: the present one.
   */
  | { kind: 'seekEvent'; event: number; branch?: number; passing?: boolean }
  | { kind: 'seekTime'; timeMs: number; branch?: number; passing?: boolean }
  | { kind: 'seekBegin' }
  | { kind: 'seekEnd' }
  /**
   * The last *transition* to one of `places` before now: a hit whose group
   * differs from that of the hit before it. With `stopAtBreakpoints`, a
   * breakpoint or watchpoint of gdb's that was hit later wins. `alone`: what
   * other threads than `tid` did counts for nothing, and so do breakpoints there.
   */
  | { kind: 'lastTransition'; places: SearchPlace[]; stopAtBreakpoints: boolean; tid?: number; alone?: boolean }
  /**
   * One instruction of thread `tid` (the present's without) back, over whatever others did meanwhile.
   * `functions`: known code ranges (0x…) around its pc, to find instruction starts.
   */
  | { kind: 'stepInstructionBack'; functions: AddressRange[]; tid?: number }
  /** The last write to `[address, address + size)` before now; stops before the writing instruction. */
  | { kind: 'lastWrite'; address: string; size: number };

export interface OperationResult {
  outcome: 'found' | 'begin' | 'end' | 'cancelled' | 'breakpoint' | 'watchpoint' | 'failed';
  moment: Moment;
  /** For `lastTransition`: the group of the place arrived at. */
  group?: number;
  /** For `breakpoint`/`watchpoint`: the address. */
  address?: string;
  /** `failed`: a CoreError's code, message, remedy. */
  error?: { code: string; message: string; remedy: string };
}

/** Something to note at each hit: an agent expression of gdb's in hexadecimal. */
export interface QueryItem {
  code: string;
  /** So much memory at the address that the expression gives; absent or 0: its value, as 8 bytes. */
  blockBytes?: number;
}

export interface QueryPlace {
  /** 0x… */
  address: string;
  /** An agent expression: hits where it is 0 do not count. */
  condition?: string;
  items?: QueryItem[];
}

/** A question about the past of the present branch. */
export interface QuerySpec {
  /**
   * `counts`: how often each of `places` was reached; `hits`: a row for each time;
   * `writes`: a row for each write to `size` bytes at `address`; `calls`: a row for
   * each call of the function at places[0], whose prologue ends at places[1];
   * `differences`: what memory differs between `from` and `to`.
   */
  kind: 'counts' | 'hits' | 'writes' | 'calls' | 'differences';
  places?: QueryPlace[];
  address?: string;
  size?: number;
  /** `calls`: so much of what rax points to when it returns. */
  returnBlockBytes?: number;
  /** Moments; absent: the beginning, and the end of the present branch. */
  from?: number;
  to?: number;
  /** The first so many rows; 100,000 without. */
  mostRows?: number;
}

export interface QueryAnswer {
  /** For `rows`; kept are the last 16. */
  id: number;
  total: number;
  /** All there is. False: there are more rows than were asked for, or it was cancelled. */
  complete: boolean;
  cancelled: boolean;
  /** By place. */
  counts: number[];
  /** Stretches between checkpoints that were looked at, and of these, not replayed. */
  intervals: number;
  skipped: number;
}

/** Bytes are hexadecimal text; null: not readable then. */
export interface QueryRow {
  /** Can be sought as long as the answer is kept; of `differences` none, `pc` is where. */
  moment: Moment;
  place: number;
  thread: number;
  /** `writes`: before and after; `calls`: the items, then of one that has returned rax, rdx, xmm0 and the block. */
  values: (string | null)[];
  byKernel: boolean;
  returned: boolean;
  returnAddress: string;
}

/** Events that people look for, by columns: `event[i]` and `kind[i]` are those of mark i. */
export interface EventMarkColumns {
  /** Events of the branch that were looked at so far. */
  lookedAt: number;
  /** Another program has replaced the one before (exec): its marks are no more. */
  beganAnew: boolean;
  kind: ('signal' | 'switch' | 'output' | 'threadBegin' | 'threadEnd')[];
  /** Of what an `output` has written, see `outputDigest`; null where there is none of the whole. */
  digest: (string | null)[];
  event: Float64Array;
  timeMs: Float64Array;
  /** Whose event it is; of a `switch`: which is left. */
  thread: Float64Array;
  /** Of the signal; of the thread that goes on, begins or ends. */
  number: Float64Array;
  /** `signal`: 1 if a function of the program's was called. */
  handled: Float64Array;
  /** `output`: 1 or 2, and how many bytes. */
  stream: Float64Array;
  bytes: Float64Array;
}

/** Errors of the core reach the adapter as `Error` objects with these fields. */
export interface CoreError extends Error {
  code: string;
  remedy: string;
}

export interface CoreEvents {
  /** Checkpoints, branches or the present changed. At most every 100 ms while running. */
  timelineChanged: () => void;
  /** A search or seek goes on: 0 … 1, and what it does in a few words. */
  progress: (fraction: number, text: string) => void;
  /** Something the user must be told once. */
  notice: (severity: 'info' | 'warning' | 'error', message: string) => void;
  /**
   * With `followChildren`: a process that the debuggee has started stands where
   * its own program begins, and waits for a core in another process to `attach`
   * to it. It runs on undebugged when nobody comes for 20 s.
   */
  childParked: (pid: number, program: string, began: 'fork' | 'exec' | 'earlier') => void;
}

export type EndState =
  | { kind: 'running' }
  /** At exit_group: the process is kept so that one can go back. */
  | { kind: 'exited'; exitCode: number }
  /** A fatal signal is about to be delivered or was: kept as well. */
  | { kind: 'signalled'; signal: number; signalName: string; faultAddress?: string };

export interface Core {
  /**
   * Starts the debuggee, stopped at its first instruction (in ld.so). gdb
   * connects at `gdbSocket`, which is no file and ends with this process.
   * Rejects with a CoreError.
   */
  launch(options: LaunchOptions): Promise<{ pid: number; gdbSocket: string }>;
  /**
   * Takes over a running process, all of its threads stopped where they stand:
   * from here on it can be gone back through. gdb connects as after `launch`.
   * Rejects with a CoreError, the process left running as it was.
   */
  attach(pid: number, options?: AttachOptions): Promise<{ pid: number; gdbSocket: string }>;
  /**
   * Lets an attached process go on alone as it was before; waits for nothing
   * but for it to stop. The live one goes on, also when the present is in the
   * past; what is then lost is said by a `notice`. Rejects for a process that
   * was launched: it cannot run without its tracer. One that was taken over from
   * another core cannot either, and is parked for its guard.
   */
  detach(): Promise<{ parked: boolean }>;
  /** Nobody will attach to this parked child: it runs on undebugged. */
  letChildRun(pid: number): void;
  /**
   * Parks a child that runs undebugged where it is; `childParked` follows, also for one that is parked. One that
   * another core has stays parked when that one detaches, and is asked for again.
   */
  handOverChild(pid: number): void;
  on<E extends keyof CoreEvents>(event: E, listener: CoreEvents[E]): void;

  /**
   * Sets what gdb's next reverse continue (`bc`) will do. Resolves when it has
   * been carried out, or another was armed in its place; the promise never
   * rejects (see OperationResult.error).
   */
  arm(operation: TimeOperation): Promise<OperationResult>;
  /** Takes back what was armed and has not begun: it ends with `cancelled`. */
  disarm(): void;
  /** Stops a search under way: it ends with `cancelled`, and the debuggee is where it was before. */
  cancel(): void;
  /**
   * Blocks of code that gdb's `bs` passes in one go, backwards to their start or
   * out of them, until the next resume forwards. None: one instruction each.
   */
  setReverseRanges(ranges: readonly AddressRange[]): void;

  /**
   * Looks through the past; the debuggee must stand still, and the present stays.
   * `cancel` ends it with what was found. Rejects with a CoreError.
   */
  ask(query: QuerySpec): Promise<QueryAnswer>;
  /** `count` rows of an answer from `start`. Throws the CoreError 'queryForgotten'. */
  rows(answer: number, start: number, count: number): QueryRow[];

  timeline(): Timeline;
  /**
   * What was found in a branch's recording since the last call: of a program that stands still all there is, of one
   * that runs what is known by now. Never waits for the program.
   */
  takeMarks(branch: number): Promise<EventMarkColumns>;
  /** The digest that the recording has of a call that wrote these bytes. */
  outputDigest(bytes: Buffer): string;
  createCheckpoint(reason: 'user' | 'bookmark', name?: string): Promise<Checkpoint>;
  /** Rejects when it is the present's, or the only one. */
  deleteCheckpoint(id: number): Promise<void>;
  setCheckpoint(id: number, change: { pinned?: boolean; name?: string }): Promise<void>;

  present(): { live: boolean; edited: boolean; behindMs: number; moment: Moment; branch: number };
  endState(): EndState;
  /**
   * Makes the present moment live on a new branch: descriptors as they were,
   * system calls real. Resolves with what cannot be given back.
   */
  branch(name?: string): Promise<{ branch: Branch; message?: string; files: string[] }>;
  /**
   * Allows the natural end: from now on a program that has reached its exit
   * is let go, with its real exit status. Used when the session ends. An
   * attached process is let go as by `detach`, not ended.
   */
  dispose(options: { letExit: boolean }): Promise<void>;
}

/** What this machine allows, found out by trying. */
export interface Capability {
  name: string;
  ok: boolean;
  /** e.g. a version or the chosen way. */
  detail: string;
  /** What to do if it is needed and not ok. */
  remedy: string;
  required: boolean;
}

export interface VerifyOptions {
  program: string;
  args: string[];
  cwd: string;
  env: string[];
  stdio: [number, number, number];
  checkpointIntervalMs: number;
  /** A checkpoint after so many events as well; 0: none. */
  checkpointIntervalEvents: number;
  /** From so many checkpoints, evenly spread, the replay goes on to the end; 0: from all. */
  mostReplays: number;
  checkpointMemoryBytes: number;
}

/** `recorded: false` carries why in `error`. Times in milliseconds of wall clock. */
export interface VerifyReport {
  recorded: boolean;
  error?: { code: string; message: string; remedy: string };
  exitCode: number | null;
  signal: string | null;
  events: number;
  checkpoints: number;
  /** From a checkpoint to the end. */
  replays: number;
  /** From a checkpoint to the next. */
  intervals: number;
  threads: number;
  diverged: { moment: string; what: string }[];
  /** What the user must know of the recording, as sentences: `warning: …`. */
  notices: string[];
  /** System calls that were answered with an error because they cannot be recorded; those for threads among them. */
  refusedCalls: number;
  /** How often each system call has stopped the recording; the others were recorded inside the process. */
  stoppedCalls: Record<string, number>;
  recordMs: number;
  /** All replays together; of these, each interval once. */
  replayMs: number;
  onePassMs: number;
  /** ptrace stops while recording and while replaying. */
  recordStops: number;
  replayStops: number;
}

/** Process-wide functions of the addon beside `Core`. */
export interface CoreModule {
  createCore(): Core;
  /** A new pseudo-terminal; `raw` turns off echo and newline translation on it. */
  openPty(raw: boolean): { master: number; slave: number; path: string };
  setPtySize(master: number, columns: number, rows: number): void;
  openPipe(): { read: number; write: number };
  probeKernel(): Capability[];
  verify(options: VerifyOptions): Promise<VerifyReport>;
}
