/**
 * A debuggee that never was: scripted runs of the workbench's programs, with a
 * timeline, for testing the extension without gdb, the core or a process.
 * Pure: the DAP around it is in fakeAdapter.ts.
 *
 * A run is a list of stops; the present is an index into it, the live process
 * the greatest index reached. A change in the past is carried on by pretending:
 * every later value of that variable is the changed one.
 */
import type {
  Branch,
  Checkpoint,
  CheckpointReason,
  Moment,
  Timeline,
} from '../../../debug-adapter/protocol/timeTravel.js';

export interface ScriptedStop {
  /** The mark of its line in the source (`//@ open`). */
  readonly mark: string;
  readonly function: string;
  /** 0 is main. */
  readonly depth: number;
  readonly variables: Readonly<Record<string, string>>;
}

export interface Script {
  readonly stops: readonly ScriptedStop[];
  readonly end: { readonly exitCode?: number; readonly signal?: string };
}

function main(mark: string, variables: Record<string, string>): ScriptedStop {
  return { mark, function: 'main', depth: 0, variables };
}

function callee(name: string, mark: string, variables: Record<string, string>): ScriptedStop {
  return { mark, function: name, depth: 1, variables };
}

export const scripts: Readonly<Record<string, Script>> = {
  account: {
    stops: [
      main('open', { balance: '0' }),
      main('first', { balance: '100' }),
      callee('withdraw', 'subtract', { balance: '100', amount: '30', left: '0' }),
      callee('withdraw', 'give-back', { balance: '100', amount: '30', left: '70' }),
      callee('withdraw', 'leave', { balance: '100', amount: '30', left: '70' }),
      main('second', { balance: '70' }),
      callee('withdraw', 'subtract', { balance: '70', amount: '50', left: '70' }),
      callee('withdraw', 'give-back', { balance: '70', amount: '50', left: '20' }),
      callee('withdraw', 'leave', { balance: '70', amount: '50', left: '20' }),
      main('report', { balance: '20' }),
      main('done', { balance: '20' }),
    ],
    end: { exitCode: 0 },
  },
  crash: {
    stops: [
      main('start', { total: '0' }),
      main('link', { total: '0' }),
      main('call', { total: '0' }),
      callee('damage', 'bad-write', { item: '0x7ffe10' }),
      main('total', { total: '0' }),
      main('begin', { total: '0', item: '0x0' }),
      main('more', { total: '0', item: '0x7ffe10' }),
      main('add', { total: '0', item: '0x7ffe10' }),
      main('follow', { total: '10', item: '0x7ffe10' }),
      main('more', { total: '10', item: '0x8' }),
      main('add', { total: '10', item: '0x8' }),
    ],
    end: { signal: 'SIGSEGV' },
  },
};

/** Run time between two scripted stops; makes "0.5 s back" come true after four steps. */
const stopMs = 125;

export type Direction = 'forward' | 'back';

export class FakeRun {
  private index = 0;
  private reached = 0;
  private ended = false;
  private edits = new Map<string, string>();
  private editedAt: number | undefined;
  private branch = 0;
  private readonly branches: Branch[] = [{ id: 0 }];
  private checkpoints: Checkpoint[] = [];
  private nextCheckpoint = 1;

  constructor(private readonly script: Script) {
    this.addCheckpoint('start');
  }

  get stop(): ScriptedStop {
    const stop = this.script.stops[this.index]!;
    const variables = { ...stop.variables };
    if (this.editedAt !== undefined && this.index >= this.editedAt) {
      for (const [name, value] of this.edits) if (name in variables) variables[name] = value;
    }
    return { ...stop, variables };
  }

  /** The stops of the stack, the innermost first. */
  get stack(): ScriptedStop[] {
    const top = this.stop;
    if (top.depth === 0) return [top];
    const caller = this.script.stops.slice(0, this.index).findLast((stop) => stop.depth === 0);
    return caller ? [top, caller] : [top];
  }

  get live(): boolean {
    return this.index === this.reached;
  }

  get edited(): boolean {
    return this.editedAt !== undefined && !this.live;
  }

  get behindMs(): number {
    return (this.reached - this.index) * stopMs;
  }

  get end(): Script['end'] | undefined {
    return this.ended ? this.script.end : undefined;
  }

  get crashed(): boolean {
    return this.ended && this.script.end.signal !== undefined;
  }

  /**
   * Goes to the next stop for which `wanted` is true, in a direction; the
   * result says whether there was one. Without one it arrives at that end.
   */
  travel(direction: Direction, wanted: (stop: ScriptedStop) => boolean): boolean {
    const { stops } = this.script;
    const step = direction === 'forward' ? 1 : -1;
    let index = this.index + step;
    while (index >= 0 && index < stops.length && !wanted(stops[index]!)) index += step;
    const found = index >= 0 && index < stops.length;
    if (index >= stops.length) this.ended = true;
    this.arrive(Math.min(Math.max(index, 0), stops.length - 1));
    return found;
  }

  /** To the stop whose line wrote `name` last: the one after which the value differs. */
  lastWrite(name: string): { oldValue: string; newValue: string } | undefined {
    const { stops } = this.script;
    for (let index = this.index - 1; index >= 0; index--) {
      const oldValue = stops[index]!.variables[name];
      const newValue = stops.slice(index + 1).find((stop) => stop.depth === stops[index]!.depth)?.variables[name];
      if (
        stops[index]!.depth === this.stop.depth &&
        oldValue !== undefined &&
        newValue !== undefined &&
        oldValue !== newValue
      ) {
        this.arrive(index);
        return { oldValue, newValue };
      }
    }
    return undefined;
  }

  setVariable(name: string, value: string): void {
    this.edits.set(name, value);
    this.editedAt ??= this.index;
  }

  discardEdits(): void {
    this.edits = new Map();
    this.editedAt = undefined;
  }

  /** Goes on live from here: what was reached before is no longer ahead. */
  beginBranch(name?: string): Branch {
    const branch: Branch = { id: ++this.branch, parent: this.branch - 1, from: this.momentAt(this.index), name };
    this.branches.push(branch);
    this.reached = this.index;
    this.ended = false;
    this.addCheckpoint('branch');
    return branch;
  }

  seekIndex(index: number): void {
    this.arrive(index, false);
  }

  seekEnd(): void {
    this.arrive(this.reached, false);
  }

  seekCheckpoint(id: number): void {
    this.arrive(this.checkpoint(id).moment.event, false);
  }

  addCheckpoint(reason: CheckpointReason, name?: string, pinned = false): Checkpoint {
    const { mark, ...stop } = this.stop;
    const checkpoint: Checkpoint = {
      id: this.nextCheckpoint++,
      moment: this.momentAt(this.index),
      reason,
      privateBytes: (1 + ((this.index * 37) % 11)) * 45_000,
      ageMs: 0,
      pinned,
      name,
      location: { function: stop.function, path: mark },
    };
    this.checkpoints.push(checkpoint);
    return checkpoint;
  }

  checkpoint(id: number): Checkpoint {
    const checkpoint = this.checkpoints.find((candidate) => candidate.id === id);
    if (!checkpoint) throw new Error(`There is no checkpoint ${id}.`);
    return checkpoint;
  }

  changeCheckpoint(id: number, change: Partial<Checkpoint>): void {
    const changed = { ...this.checkpoint(id), ...change };
    this.checkpoints = this.checkpoints.map((candidate) => (candidate.id === id ? changed : candidate));
  }

  deleteCheckpoint(id: number): void {
    this.checkpoint(id);
    this.checkpoints = this.checkpoints.filter((candidate) => candidate.id !== id);
  }

  /** A checkpoint's `location.path` is its mark here: the adapter knows the lines. */
  timeline(): Timeline {
    return {
      branches: this.branches,
      checkpoints: this.checkpoints,
      begin: this.momentAt(0),
      end: this.momentAt(this.reached),
      present: this.present,
      live: this.live,
      ended: this.end,
      memory: {
        budgetBytes: 512 << 20,
        usedBytes: this.checkpoints.reduce((sum, checkpoint) => sum + checkpoint.privateBytes, 0),
      },
    };
  }

  get present(): Moment {
    return this.momentAt(this.index);
  }

  get presentBranch(): number {
    return this.branch;
  }

  private arrive(index: number, stopHere = true): void {
    this.index = index;
    this.reached = Math.max(this.reached, index);
    const known = this.checkpoints.some(({ moment }) => moment.event === index && moment.branch === this.branch);
    if (stopHere && !known) this.addCheckpoint(this.crashed ? 'signal' : 'stop');
  }

  private momentAt(index: number): Moment {
    const pc = `0x${(0x401136 + index * 7).toString(16)}`;
    return {
      id: index + this.branch * 1000,
      order: index * 10,
      event: index,
      timeMs: index * stopMs,
      branch: this.branch,
      pc,
    };
  }
}
