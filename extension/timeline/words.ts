/**
 * Quantities of time and memory in the words that people read in the views,
 * the status bar and the quick picks. Pure: no vscode.
 *
 * Easy to get wrong: a run time (`timeMs`, of the debuggee) and an age (of the
 * wall clock) are different clocks; only ages say "ago".
 */
import * as l10n from '@vscode/l10n';
import type { Checkpoint, CheckpointReason } from '../../debug-adapter/protocol/timeTravel.js';

/** A length of run time: `0.4 ms`, `250 ms`, `1.25 s`, `2 min 5 s`. */
export function durationText(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 10) return `${trimZeros(ms.toFixed(ms < 1 ? 2 : 1))} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_995) return `${(ms / 1000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** How far back one is. A distance too short for the clock is still a distance. */
export function behindText(behindMs: number): string {
  return behindMs < 0.005 ? l10n.t('a moment back') : l10n.t('{0} back', durationText(behindMs));
}

/** Where in the run something is, to be compared with its neighbours: `3.42 ms`, `342 ms`, `61.500 s`. */
export function runTimeText(timeMs: number): string {
  const ms = Math.max(0, timeMs);
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  return ms < 999.5 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(3)} s`;
}

/** Wall-clock age, coarse on purpose: a list that counts seconds is restless. */
export function ageText(ageMs: number): string {
  const seconds = Math.round(ageMs / 1000);
  if (seconds < 5) return l10n.t('just now');
  if (seconds < 60) return l10n.t('{0} s ago', Math.floor(seconds / 5) * 5);
  if (seconds < 3600) return l10n.t('{0} min ago', Math.floor(seconds / 60));
  return l10n.t('{0} h ago', Math.floor(seconds / 3600));
}

/** Memory in MB (MiB, and GiB, as every other tool here says it); small amounts keep a digit that differs from zero. */
export function megabytesText(bytes: number): string {
  const megabytes = bytes / (1 << 20);
  if (megabytes === 0) return '0 MB';
  if (megabytes < 0.01) return '<0.01 MB';
  if (megabytes < 1) return `${megabytes.toFixed(2)} MB`;
  if (megabytes < 99.95) return `${megabytes.toFixed(1)} MB`;
  return megabytes < 1023.5 ? `${Math.round(megabytes)} MB` : `${(megabytes / 1024).toFixed(1)} GB`;
}

function reasonTexts(reason: CheckpointReason): { short: string; long: string } | undefined {
  // Asked for each time: when this module is loaded the translation is not there yet.
  const reasons: Record<CheckpointReason, { short: string; long: string }> = {
    start: { short: l10n.t('program start'), long: l10n.t('Made at the start of the program') },
    interval: { short: l10n.t('periodic'), long: l10n.t('Made periodically while the program ran') },
    stop: { short: l10n.t('stop'), long: l10n.t('Made when the program stopped') },
    user: { short: l10n.t('by you'), long: l10n.t('Made by you') },
    bookmark: { short: l10n.t('bookmark'), long: l10n.t('Made for a bookmark') },
    signal: { short: l10n.t('signal'), long: l10n.t('Made before a signal') },
    search: { short: l10n.t('search'), long: l10n.t('Made while searching the past') },
    edit: { short: l10n.t('change'), long: l10n.t('Made where you changed something') },
    branch: { short: l10n.t('branch'), long: l10n.t('Made where a branch began') },
  };
  return reasons[reason];
}

/** Why a checkpoint was made: one or two words for a list. */
export function reasonText(reason: CheckpointReason): string {
  return reasonTexts(reason)?.short ?? reason;
}

/** Why a checkpoint was made, as a sentence without its full stop. */
export function reasonSentence(reason: CheckpointReason): string {
  return reasonTexts(reason)?.long ?? l10n.t('Made because of: {0}', reason);
}

/** `withdraw, account.c:12`, or `write, libc.so.6`: as far as it is known. */
export function locationText(location: Checkpoint['location']): string | undefined {
  return [location?.function, fileText(location)].filter(Boolean).join(', ') || undefined;
}

/** The same for a narrow list, where a source line says enough: `account.c:12`, or `write, libc.so.6`; the dynamic loader's names mean nothing to most. */
export function shortLocationText(location: Checkpoint['location']): string | undefined {
  if (location?.path) return fileText(location);
  return /\/ld-[^/]*$/.test(location?.module ?? '') ? l10n.t('loading libraries') : locationText(location);
}

function fileText(location: Checkpoint['location']): string | undefined {
  const file = (location?.path ?? location?.module)?.split('/').pop();
  return file && location?.line !== undefined ? `${file}:${location.line}` : file;
}

function trimZeros(number: string): string {
  return number.includes('.') ? number.replace(/\.?0+$/, '') : number;
}
