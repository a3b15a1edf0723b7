/**
 * What the extension and the page of the Timeline view say to each other.
 * Imported by both sides; imports only the protocol.
 */
import type { History, HistoryMark, Timeline } from '../../debug-adapter/protocol/timeTravel.js';

/** Where to go; the same as the arguments of chronofork/seek. */
export type SeekTarget =
  | { checkpoint: number }
  | { moment: number; event: number; branch: number }
  | { to: 'begin' | 'end' }
  | { event: number; branch: number }
  | { timeMs: number; branch: number };

/** Of the present: what changes often. */
export interface PresentState {
  readonly running: boolean;
  readonly live: boolean;
  /** `live`, `1.2 s back`, `ended, exit code 0`: as the status bar says it. */
  readonly text: string;
  readonly branch: number;
  readonly timeMs: number;
  readonly event: number;
}

/** A part of a branch's history: marks from `fromEvent` on replace what was there. */
export interface LanePart extends Pick<History, 'branch' | 'extent' | 'memory'> {
  readonly name: string;
  readonly fromEvent: number;
  readonly marks: readonly HistoryMark[];
  readonly threads: readonly { readonly threadId: number; readonly busyMs: readonly number[] }[];
  readonly message?: string;
}

export type ToPage =
  /** Another session, or none: forget everything. */
  | { readonly type: 'session'; readonly name: string | undefined }
  | { readonly type: 'present'; readonly present: PresentState }
  | { readonly type: 'timeline'; readonly timeline: Timeline }
  | { readonly type: 'lanes'; readonly lanes: readonly LanePart[] }
  /** A wish was refused, or something must be said: for the line below the picture, and for screen readers. */
  | { readonly type: 'say'; readonly text: string };

export type FromPage =
  | { readonly type: 'ready' }
  /** `passing`: the playhead is being dragged; a later wish replaces it. */
  | { readonly type: 'seek'; readonly target: SeekTarget; readonly passing: boolean }
  | { readonly type: 'command'; readonly command: 'start' | 'bookmark' | 'live' | 'pause' };
