/**
 * What the extension knows of one session's timeline, and how it is said:
 * where the present is, which checkpoints and bookmarks there are. Pure: the
 * views, the status bar and the quick pick only draw what comes from here.
 *
 * Two sources feed it. The event `timelineChanged` is small and frequent and
 * says where the present is; the whole timeline is asked for afterwards. They
 * may disagree for a moment: for the present the event is believed.
 */
import * as l10n from '@vscode/l10n';
import type {
  Branch,
  Checkpoint,
  Moment,
  Timeline,
  TimeTravelEvents,
} from '../../debug-adapter/protocol/timeTravel.js';
import {
  ageText,
  behindText,
  locationText,
  megabytesText,
  reasonSentence,
  reasonText,
  runTimeText,
  shortLocationText,
} from './words.js';

export type PresentState = TimeTravelEvents['chronofork/timelineChanged'];

export type PresentIcon = 'pulse' | 'history' | 'error' | 'debug-stop';

/** The status bar item: a codicon, a few words, and a sentence or two. */
export interface PresentText {
  readonly icon: PresentIcon;
  readonly text: string;
  readonly tooltip: string;
  readonly warning: boolean;
}

/** One line of the Checkpoints view, the Bookmarks view or the quick pick. */
export interface CheckpointRow {
  readonly checkpoint: Checkpoint;
  readonly label: string;
  readonly description: string;
  /** Everything in sentences, for the tooltip and for screen readers. */
  readonly details: readonly string[];
  /** True when the present is exactly there. */
  readonly here: boolean;
}

export class TimelineModel {
  private present_: PresentState | undefined;
  private timeline_: Timeline | undefined;
  private loadedAtMs = 0;

  /** @param clock milliseconds, for ages; a test gives its own. */
  constructor(private readonly clock: () => number = Date.now) {}

  /** The small event has come. */
  presentChanged(present: PresentState): void {
    this.present_ = present;
  }

  /** The whole timeline has come. */
  timelineLoaded(timeline: Timeline): void {
    this.timeline_ = timeline;
    this.loadedAtMs = this.clock();
  }

  get present(): PresentState | undefined {
    return this.present_;
  }

  get timeline(): Timeline | undefined {
    return this.timeline_;
  }

  /** True until something else is known: a session begins live. */
  get live(): boolean {
    return this.present_?.live ?? this.timeline_?.live ?? true;
  }

  /** The program runs: nothing can be gone to. */
  get running(): boolean {
    return this.present_?.running ?? false;
  }

  /** A fatal signal has ended the program (which is kept, so one can go back). */
  get crashed(): boolean {
    return this.timeline_?.ended?.signal !== undefined;
  }

  /** All checkpoints, the latest moment first, the present branch before the others. */
  checkpoints(): CheckpointRow[] {
    const timeline = this.timeline_;
    if (!timeline) return [];
    const presentBranch = this.presentBranch;
    return [...timeline.checkpoints]
      .sort((a, b) => {
        const branchOrder = rank(b, presentBranch) - rank(a, presentBranch);
        return branchOrder || b.moment.order - a.moment.order || b.id - a.id;
      })
      .map((checkpoint) => this.checkpointRow(checkpoint));
  }

  /** Bookmarks: the pinned checkpoints that have a name, in the order of the run. */
  bookmarks(): CheckpointRow[] {
    const bookmarks = (this.timeline_?.checkpoints ?? []).filter(isBookmark);
    return bookmarks
      .sort((a, b) => a.moment.branch - b.moment.branch || a.moment.order - b.moment.order)
      .map((checkpoint) => this.bookmarkRow(checkpoint));
  }

  /** A name for a branch: the user's, or a number that starts at 1 for people. */
  branchName(id: number): string {
    const branch: Branch | undefined = this.timeline_?.branches.find((candidate) => candidate.id === id);
    if (branch?.name) return branch.name;
    return id === 0 ? l10n.t('First run') : l10n.t('Branch {0}', id);
  }

  /** The branches that the present is not on, with where each of them stands. */
  otherBranches(): { name: string; end: Moment }[] {
    const others = (this.timeline_?.branches ?? []).filter(({ id }) => id !== this.presentBranch);
    return others.flatMap(({ id, end }) => (end ? [{ name: this.branchName(id), end }] : []));
  }

  get severalBranches(): boolean {
    return (this.timeline_?.branches.length ?? 0) > 1;
  }

  /** `used of budget`, for the Checkpoints view's description. */
  memoryText(): string | undefined {
    const memory = this.timeline_?.memory;
    if (!memory || this.timeline_?.checkpoints.length === 0) return undefined;
    return l10n.t('{0} of {1}', megabytesText(memory.usedBytes), megabytesText(memory.budgetBytes));
  }

  presentText(): PresentText {
    const branch = this.severalBranches ? `, ${this.branchName(this.presentBranch).toLowerCase()}` : '';
    const ended = this.timeline_?.ended;
    if (!this.live) {
      const back = behindText(this.present_?.behindMs ?? 0);
      const edited = this.present_?.edited ?? false;
      return {
        icon: 'history',
        text: `${back}${edited ? l10n.t(', changed') : ''}${branch}`,
        tooltip:
          `${l10n.t('You are looking at the past: {0}.', back)} ` +
          (edited ? `${l10n.t('Something was changed here: Continue will ask what to do.')} ` : '') +
          l10n.t('Click to go to another moment.'),
        warning: true,
      };
    }
    if (ended?.signal) {
      return {
        icon: 'error',
        text: `${l10n.t('crashed: {0}', ended.signal)}${branch}`,
        tooltip: l10n.t(
          'The program was ended by {0}. It is kept: you can go back. Click to choose a moment.',
          ended.signal,
        ),
        warning: false,
      };
    }
    if (ended) {
      return {
        icon: 'debug-stop',
        text: `${ended.exitCode === undefined ? l10n.t('ended') : l10n.t('ended, exit code {0}', ended.exitCode)}${branch}`,
        tooltip: l10n.t('The program has ended. It is kept: you can go back. Click to choose a moment.'),
        warning: false,
      };
    }
    return {
      icon: 'pulse',
      text: `${l10n.t('live')}${branch}`,
      tooltip: l10n.t('This is the live program. Click to go to an earlier moment.'),
      warning: false,
    };
  }

  /** The number of the branch that the present is on. */
  get presentBranch(): number {
    return this.present_?.branch ?? this.timeline_?.present.branch ?? 0;
  }

  private isHere(checkpoint: Checkpoint): boolean {
    const present = this.present_?.present ?? this.timeline_?.present;
    return present?.id === checkpoint.moment.id;
  }

  private currentAgeMs(checkpoint: Checkpoint): number {
    return checkpoint.ageMs + this.clock() - this.loadedAtMs;
  }

  private checkpointRow(checkpoint: Checkpoint): CheckpointRow {
    const here = this.isHere(checkpoint);
    const age = ageText(this.currentAgeMs(checkpoint));
    const atStart = checkpoint.reason === 'start';
    return {
      checkpoint,
      here,
      label: runTimeText(checkpoint.moment.timeMs),
      // What a narrow side bar cuts off is last: the reason, which the icon says too.
      description: [
        checkpoint.name,
        here ? l10n.t('you are here') : undefined,
        atStart ? reasonText(checkpoint.reason) : shortLocationText(checkpoint.location),
        megabytesText(checkpoint.privateBytes),
        age,
        atStart ? undefined : reasonText(checkpoint.reason),
      ]
        .filter(Boolean)
        .join(' · '),
      details: this.details(checkpoint, here),
    };
  }

  private bookmarkRow(checkpoint: Checkpoint): CheckpointRow {
    const here = this.isHere(checkpoint);
    return {
      checkpoint,
      here,
      label: checkpoint.name ?? '',
      description: [
        here ? l10n.t('you are here') : undefined,
        checkpoint.note,
        shortLocationText(checkpoint.location),
        runTimeText(checkpoint.moment.timeMs),
      ]
        .filter(Boolean)
        .join(' · '),
      details: this.details(checkpoint, here),
    };
  }

  private details(checkpoint: Checkpoint, here: boolean): string[] {
    const location = locationText(checkpoint.location);
    return [
      location
        ? l10n.t('{0} into the run, in {1}.', runTimeText(checkpoint.moment.timeMs), location)
        : l10n.t('{0} into the run.', runTimeText(checkpoint.moment.timeMs)),
      `${reasonSentence(checkpoint.reason)}, ${ageText(this.currentAgeMs(checkpoint))}.`,
      l10n.t('Deleting it would free {0}.', megabytesText(checkpoint.privateBytes)),
      ...(checkpoint.name ? [l10n.t('Named “{0}”.', checkpoint.name)] : []),
      ...(checkpoint.note ? [l10n.t('Note: {0}', checkpoint.note)] : []),
      ...(checkpoint.pinned ? [l10n.t('Pinned: it is kept until you delete it.')] : []),
      ...(this.severalBranches ? [l10n.t('On: {0}.', this.branchName(checkpoint.moment.branch))] : []),
      here ? l10n.t('You are here.') : l10n.t('Click to go there.'),
    ];
  }
}

/** A bookmark is a pinned checkpoint with a name. */
export function isBookmark(checkpoint: Checkpoint): boolean {
  return checkpoint.pinned && Boolean(checkpoint.name);
}

/** The present branch first, then the younger before the older. */
function rank(checkpoint: Checkpoint, presentBranch: number): number {
  return checkpoint.moment.branch === presentBranch ? Number.MAX_SAFE_INTEGER : checkpoint.moment.branch;
}
