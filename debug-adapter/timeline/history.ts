/**
 * What the request chronofork/history answers: what happened when, on each
 * branch. Marks come from the recording (core.takeMarks), once each; stops are
 * noted as they are told; the text of output is put to its writes.
 *
 * Easy to get wrong: takeMarks hands each mark out once, so requests that come
 * side by side take turns.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Core } from '../core/core.js';
import { ChronoforkError } from '../errors.js';
import type {
  Branch,
  History as Answer,
  HistoryArguments,
  HistoryOverview,
  Moment,
  StopMark,
  Timeline,
} from '../protocol/timeTravel.js';
import { BranchHistory, mostMarks, type MarkFilter } from './branchHistory.js';
import { ProgramOutput } from './programOutput.js';

const usualCount = 10_000;
const mostCount = 100_000;
const mostBuckets = 10_000;

type Extent = Answer['extent'];

export class History {
  private readonly branches = new Map<number, BranchHistory>();
  private readonly output: ProgramOutput;
  private recording = 0;
  private updating: Promise<void> = Promise.resolve();
  /** Since the program ran last, all of its output has been read. */
  private allRead = false;
  private firstThread: number | undefined;

  constructor(
    private readonly core: Core,
    output: ProgramOutput | undefined,
  ) {
    // Of a program that was attached to no output is read: its writes have no text.
    this.output = output ?? new ProgramOutput(false);
    this.output.belongsTo(core);
  }

  /** The program stands still, and the consoles have been emptied. */
  allIsRead(): void {
    this.allRead = true;
  }

  /** A stop has been told. Only where the program itself has come to is a mark: looking at the past leaves none. */
  stopped(
    { reason, description }: Pick<DebugProtocol.StoppedEvent['body'], 'reason' | 'description'>,
    place: { tid: number; function?: string; path?: string; line: number } | undefined,
  ): void {
    this.firstThread ??= place?.tid;
    const { live, moment } = this.core.present();
    if (!live) return;
    const { stops } = this.of(moment.branch);
    if (stops.at(-1)?.moment === moment.id) return;
    stops.push({
      kind: 'stop',
      event: moment.event,
      timeMs: moment.timeMs,
      moment: moment.id,
      reason,
      ...(description ? { description } : {}),
      ...(place ? { threadId: place.tid, location: locationOf(place) } : {}),
    });
  }

  /** @param still  the program does not run */
  async answer(args: HistoryArguments, still: boolean): Promise<Answer> {
    await this.update(still);
    const timeline = this.core.timeline();
    const id = args.branch ?? timeline.present.branch;
    const branch = timeline.branches.find((one) => one.id === id);
    if (!branch) throw new ChronoforkError('invalidArguments', `There is no branch ${id}.`);
    const known = this.of(id);
    const extent = extentOf(branch, timeline, known);
    const filter = filterOf(args);
    const count = Math.min(mostCount, Math.max(0, args.count ?? usualCount));
    return {
      branch: id,
      ...(count > 0 ? known.page(filter, count) : { marks: [] }),
      settled: known.settled,
      recording: this.recording,
      extent,
      memory: memoryOf(branch, timeline),
      ...(args.buckets ? { overview: this.overview(known, filter, extent, args.buckets) } : {}),
      complete: !known.full,
      ...(known.full ? { message: `Only the first ${mostMarks.toLocaleString('en')} marks of a kind are kept.` } : {}),
    };
  }

  private overview(known: BranchHistory, filter: MarkFilter, extent: Extent, wanted: number): HistoryOverview {
    const buckets = Math.min(mostBuckets, Math.max(1, Math.floor(wanted)));
    const fromMs = Math.max(filter.fromMs, extent.fromMs);
    const toMs = Math.max(fromMs, Math.min(filter.toMs, extent.toMs));
    const counts = known.counts({ ...filter, fromMs, toMs }, buckets);
    return { fromMs, toMs, counts, threads: known.runs.busy(fromMs, toMs, buckets) };
  }

  private of(branch: number): BranchHistory {
    let known = this.branches.get(branch);
    if (!known) this.branches.set(branch, (known = new BranchHistory(this.output.of(branch))));
    return known;
  }

  private update(still: boolean): Promise<void> {
    const update = this.updating.then(() => this.takeMarks(still));
    this.updating = update.catch(() => undefined);
    return update;
  }

  private async takeMarks(still: boolean): Promise<void> {
    if (!still) this.allRead = false;
    for (const branch of this.core.timeline().branches) {
      const columns = await this.core.takeMarks(branch.id);
      if (columns.beganAnew) {
        this.branches.delete(branch.id);
        this.output.forget(branch.id);
        this.recording++;
      }
      const known = this.of(branch.id);
      known.add(columns);
      if (known.runs.empty) this.beginRuns(known, branch);
      for (const text of new Set(this.output.of(branch.id))) text.resolve(still && this.allRead);
    }
  }

  /** Without any switch its thread is the one that its parent's line was left in. */
  private beginRuns(known: BranchHistory, branch: Branch): void {
    const parent = branch.parent === undefined ? undefined : this.branches.get(branch.parent);
    const thread = parent?.runs.last ?? this.firstThread;
    if (thread !== undefined) known.runs.goesOn(thread, -Infinity);
  }
}

function locationOf({ function: name, path, line }: { function?: string; path?: string; line: number }) {
  const known: NonNullable<StopMark['location']> = {
    ...(name ? { function: name } : {}),
    ...(path ? { path, line } : {}),
  };
  return known;
}

function filterOf({ kinds, fromEvent, fromMs, toMs }: HistoryArguments): MarkFilter {
  return {
    kinds: kinds && new Set(kinds),
    fromEvent: fromEvent ?? 0,
    fromMs: fromMs ?? -Infinity,
    toMs: toMs ?? Infinity,
  };
}

/** `lookedAt` may be ahead of what the timeline has told last. */
function extentOf(branch: Branch, timeline: Timeline, known: BranchHistory): Extent {
  const begin: Moment = branch.from ?? timeline.begin;
  const end: Moment = branch.end ?? timeline.end;
  return {
    fromEvent: begin.event,
    toEvent: Math.max(end.event, known.lookedAt),
    fromMs: begin.timeMs,
    toMs: Math.max(begin.timeMs, end.timeMs),
  };
}

/** What was written between two checkpoints of the branch's own part, and since the last. */
function memoryOf(branch: Branch, { checkpoints, begin, end }: Timeline): Answer['memory'] {
  const memory: Answer['memory'][number][] = [];
  let fromMs = (branch.from ?? begin).timeMs;
  const own = checkpoints.filter(({ moment }) => moment.branch === branch.id);
  own.sort((a, b) => a.moment.order - b.moment.order);
  for (const { moment, writtenBytes } of own) {
    if (moment.timeMs > fromMs) memory.push({ fromMs, toMs: moment.timeMs, bytes: writtenBytes ?? 0 });
    fromMs = Math.max(fromMs, moment.timeMs);
  }
  const toMs = (branch.end ?? end).timeMs;
  if (toMs > fromMs) memory.push({ fromMs, toMs, bytes: branch.tailBytes ?? 0, approximate: true });
  return memory;
}
