/**
 * A core in memory, for tests of the layers above: a program that is only a
 * list of steps, each a pc and a stack pointer, and what it wrote.
 *
 * It starts no process and serves no gdb; a test plays gdb's part by calling
 * `reverseContinue()` when the adapter resumes backwards. What it does for an
 * armed operation is what the contract in core.ts says, done in the plainest
 * way: by looking through the list.
 */
import type { Branch, Checkpoint, Moment, Timeline } from '../protocol/timeTravel.js';
import type {
  AttachOptions,
  Core,
  CoreEvents,
  CoreModule,
  EndState,
  LaunchOptions,
  OperationResult,
  SearchPlace,
  TimeOperation,
  EventMarkColumns,
  QueryAnswer,
  QueryRow,
} from './core.js';

/** One step of the scripted program. */
export interface FakeStep {
  pc: number;
  rsp: number;
  /** The address this step writes to when it is carried out. */
  writes?: number;
}

type Armed = { operation: TimeOperation; resolve(result: OperationResult): void };

export class FakeCore implements Core {
  launched: LaunchOptions | undefined;
  attached: { pid: number; options: AttachOptions } | undefined;
  detached = false;
  readonly childrenLetRun: number[] = [];
  disposed: { letExit: boolean } | undefined;
  /** Index into `steps`: the step about to be carried out. */
  now: number;
  edited = false;
  end: EndState = { kind: 'running' };
  breakpoints = new Set<number>();
  readonly operations: TimeOperation[] = [];
  private armed: Armed | undefined;
  private checkpoints: Checkpoint[] = [];
  private branches: Branch[] = [{ id: 0 }];
  private nextCheckpoint = 1;
  private readonly listeners: { [E in keyof CoreEvents]: CoreEvents[E][] } = {
    timelineChanged: [],
    progress: [],
    notice: [],
    childParked: [],
  };

  constructor(readonly steps: FakeStep[] = [{ pc: 0x1000, rsp: 0x7000 }]) {
    this.now = steps.length - 1;
  }

  async launch(options: LaunchOptions): Promise<{ pid: number; gdbSocket: string }> {
    this.launched = options;
    return { pid: 4242, gdbSocket: '/proc/4242/fd/5' };
  }

  async attach(pid: number, options: AttachOptions = {}): Promise<{ pid: number; gdbSocket: string }> {
    this.attached = { pid, options };
    return { pid, gdbSocket: `/proc/${pid}/fd/5` };
  }

  async detach(): Promise<{ parked: boolean }> {
    if (!this.attached) {
      const error = new Error('A program that Chronofork has started cannot be let go.');
      throw Object.assign(error, { code: 'notAttached', remedy: 'End the session instead.' });
    }
    this.detached = true;
    return { parked: this.attached.options.guard !== undefined };
  }

  letChildRun(pid: number): void {
    this.childrenLetRun.push(pid);
  }

  handOverChild(pid: number): void {
    this.emitChildParked(pid, '/bin/child', 'earlier');
  }

  emitChildParked(pid: number, program: string, began: 'fork' | 'exec' | 'earlier'): void {
    for (const listener of this.listeners.childParked) listener(pid, program, began);
  }

  on<E extends keyof CoreEvents>(event: E, listener: CoreEvents[E]): void {
    this.listeners[event].push(listener);
  }

  emitProgress(fraction: number, text: string): void {
    for (const listener of this.listeners.progress) listener(fraction, text);
  }

  emitTimelineChanged(): void {
    for (const listener of this.listeners.timelineChanged) listener();
  }

  emitNotice(severity: 'info' | 'warning' | 'error', message: string): void {
    for (const listener of this.listeners.notice) listener(severity, message);
  }

  arm(operation: TimeOperation): Promise<OperationResult> {
    this.operations.push(operation);
    return new Promise((resolve) => (this.armed = { operation, resolve }));
  }

  /** gdb resumes backwards: the armed operation is carried out. */
  reverseContinue(): OperationResult {
    const armed = this.armed;
    this.armed = undefined;
    if (!armed) throw new Error('nothing is armed');
    const result = this.carryOut(armed.operation);
    armed.resolve(result);
    return result;
  }

  disarm(): void {
    this.cancel();
  }

  cancel(): void {
    const armed = this.armed;
    this.armed = undefined;
    armed?.resolve(this.result('cancelled'));
  }

  setReverseRanges(): void {
    // Nothing here runs instruction by instruction.
  }

  momentAt(index: number): Moment {
    const pc = `0x${this.steps[index]!.pc.toString(16)}`;
    return { id: index, order: index, event: 0, timeMs: index, branch: this.branches.length - 1, pc };
  }

  ask(): Promise<QueryAnswer> {
    return Promise.reject(new Error('the fake core has no past to look through'));
  }

  rows(): QueryRow[] {
    return [];
  }

  /** What the next `takeMarks` of a branch gives. */
  readonly marks = new Map<number, Partial<EventMarkColumns>>();

  async takeMarks(branch: number): Promise<EventMarkColumns> {
    const none = new Float64Array();
    const columns = { event: none, timeMs: none, thread: none, number: none, handled: none, stream: none, bytes: none };
    const taken = this.marks.get(branch) ?? {};
    this.marks.set(branch, taken.lookedAt === undefined ? {} : { lookedAt: taken.lookedAt });
    return { lookedAt: 0, beganAnew: false, kind: [], digest: [], ...columns, ...taken };
  }

  outputDigest(bytes: Buffer): string {
    return bytes.toString('latin1');
  }

  timeline(): Timeline {
    const last = this.steps.length - 1;
    return {
      branches: this.branches,
      checkpoints: this.checkpoints,
      begin: this.momentAt(0),
      end: this.momentAt(last),
      present: this.momentAt(this.now),
      live: this.now === last,
      ...(this.end.kind === 'exited' ? { ended: { exitCode: this.end.exitCode } } : {}),
      ...(this.end.kind === 'signalled' ? { ended: { signal: this.end.signalName } } : {}),
      memory: { budgetBytes: 1 << 30, usedBytes: 0 },
    };
  }

  async createCheckpoint(reason: 'user' | 'bookmark', name?: string): Promise<Checkpoint> {
    const made: Checkpoint = {
      id: this.nextCheckpoint++,
      moment: this.momentAt(this.now),
      reason,
      privateBytes: 4096,
      ageMs: 0,
      pinned: reason === 'bookmark',
      ...(name === undefined ? {} : { name }),
    };
    this.checkpoints = [...this.checkpoints, made];
    return made;
  }

  async deleteCheckpoint(id: number): Promise<void> {
    this.find(id);
    this.checkpoints = this.checkpoints.filter((checkpoint) => checkpoint.id !== id);
  }

  async setCheckpoint(id: number, change: { pinned?: boolean; name?: string }): Promise<void> {
    this.find(id);
    this.checkpoints = this.checkpoints.map((one) => (one.id === id ? { ...one, ...change } : one));
  }

  present(): { live: boolean; edited: boolean; behindMs: number; moment: Moment; branch: number } {
    const { live } = this.timeline();
    const behindMs = this.steps.length - 1 - this.now;
    return { live, edited: this.edited, behindMs, moment: this.momentAt(this.now), branch: this.branches.length - 1 };
  }

  endState(): EndState {
    return this.end;
  }

  async branch(name?: string): Promise<{ branch: Branch; message?: string; files: string[] }> {
    const from = this.momentAt(this.now);
    const made: Branch = {
      id: this.branches.length,
      parent: from.branch,
      from,
      ...(name === undefined ? {} : { name }),
    };
    this.branches = [...this.branches, made];
    this.steps.length = this.now + 1;
    this.edited = false;
    return { branch: made, files: [] };
  }

  async dispose(options: { letExit: boolean }): Promise<void> {
    this.disposed = options;
  }

  private find(id: number): void {
    if (this.checkpoints.some((checkpoint) => checkpoint.id === id)) return;
    const error = new Error(`There is no checkpoint ${id}.`);
    throw Object.assign(error, { code: 'noCheckpoint', remedy: 'It may have been thinned out.' });
  }

  private carryOut(operation: TimeOperation): OperationResult {
    this.edited = false;
    switch (operation.kind) {
      case 'seek':
        return this.arrive(operation.moment, 'found');
      case 'seekCheckpoint':
        return this.arrive(
          this.checkpoints.find(({ id }) => id === operation.checkpoint)?.moment.id ?? this.now,
          'found',
        );
      case 'seekEvent':
        return this.arrive(operation.event, 'found');
      case 'seekTime':
        return this.arrive(Math.floor(operation.timeMs), 'found');
      case 'seekBegin':
        return this.arrive(0, 'begin');
      case 'seekEnd':
        return this.arrive(this.steps.length - 1, 'end');
      case 'stepInstructionBack':
        return this.now === 0 ? this.arrive(0, 'begin') : this.arrive(this.now - 1, 'found');
      case 'lastWrite':
        return this.lastWrite(Number(operation.address), operation.size);
      case 'lastTransition':
        return this.lastTransition(operation.places, operation.stopAtBreakpoints);
    }
  }

  private lastWrite(address: number, size: number): OperationResult {
    for (let index = this.now - 1; index >= 0; index--) {
      const { writes } = this.steps[index]!;
      if (writes !== undefined && writes >= address && writes < address + size) return this.arrive(index, 'found');
    }
    return this.arrive(0, 'begin');
  }

  private lastTransition(places: SearchPlace[], stopAtBreakpoints: boolean): OperationResult {
    let previous: number | undefined;
    let found: { index: number; group: number } | undefined;
    let broken: number | undefined;
    for (let index = 0; index < this.now; index++) {
      const step = this.steps[index]!;
      if (stopAtBreakpoints && this.breakpoints.has(step.pc)) broken = index;
      const place = places.find((one) => matches(one, step));
      if (!place) continue;
      if (place.group !== previous) found = { index, group: place.group };
      previous = place.group;
    }
    if (broken !== undefined && broken > (found?.index ?? -1))
      return { ...this.arrive(broken, 'breakpoint'), address: `0x${this.steps[broken]!.pc.toString(16)}` };
    return found ? { ...this.arrive(found.index, 'found'), group: found.group } : this.arrive(0, 'begin');
  }

  private arrive(index: number, outcome: OperationResult['outcome']): OperationResult {
    this.now = index;
    return this.result(outcome);
  }

  private result(outcome: OperationResult['outcome']): OperationResult {
    return { outcome, moment: this.momentAt(this.now) };
  }
}

function matches(place: SearchPlace, step: FakeStep): boolean {
  if (Number(place.address) !== step.pc) return false;
  const min = place.rspMin === undefined ? -Infinity : Number(place.rspMin);
  const max = place.rspMax === undefined ? Infinity : Number(place.rspMax);
  return step.rsp >= min && step.rsp < max;
}

/** A module whose cores are all `core`; descriptors are not made. */
export function fakeModule(core: FakeCore): CoreModule {
  const none = () => {
    throw new Error('the fake core has no descriptors');
  };
  return {
    createCore: () => core,
    openPty: none,
    setPtySize: () => undefined,
    openPipe: none,
    probeKernel: () => [{ name: 'ptrace', ok: true, detail: 'fake', remedy: '', required: true }],
    verify: none,
  };
}
