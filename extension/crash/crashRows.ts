/**
 * What is said of a crash in the Crash view: what happened, where, at which
 * address, and what one can do now. Pure: no vscode.
 */
import * as l10n from '@vscode/l10n';
import type { Crash } from '../../debug-adapter/protocol/timeTravel.js';
import { locationText, runTimeText } from '../timeline/words.js';

export interface CrashRow {
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly icon: string;
  readonly details: readonly string[];
  /** A command that it offers, without `chronofork.`, and its argument. */
  readonly command?: string;
  readonly argument?: unknown;
  /** An offer, not a fact. */
  readonly offer: boolean;
}

export function crashRows(crash: Crash): CrashRow[] {
  return [...facts(crash), ...offers(crash)];
}

function facts(crash: Crash): CrashRow[] {
  const place = locationText(crash.location) ?? crash.moment.pc;
  const rows: CrashRow[] = [
    {
      id: 'what',
      label: crash.signal,
      description: crash.description,
      icon: 'error',
      details: [crash.description],
      command: 'goToCrash',
      offer: false,
    },
    {
      id: 'where',
      label: place,
      description: l10n.t('{0} into the run', runTimeText(crash.moment.timeMs)),
      icon: 'location',
      details: [l10n.t('It happened in {0}.', place), l10n.t('Click to go there: the program is kept just before it.')],
      command: 'goToCrash',
      offer: false,
    },
  ];
  if (crash.faultAddress !== undefined)
    rows.push({
      id: 'address',
      label: crash.faultAddress,
      description: l10n.t('the address that could not be accessed'),
      icon: 'symbol-numeric',
      details: [l10n.t('The address that could not be accessed: {0}.', crash.faultAddress)],
      offer: false,
    });
  return rows;
}

function offers(crash: Crash): CrashRow[] {
  const suspects = crash.suspects.map((suspect, index): CrashRow => ({
    id: `suspect ${index}`,
    label: l10n.t('Who wrote {0}?', suspect.expression),
    description: suspect.value,
    icon: 'edit',
    details: [
      l10n.t('{0} holds the bad address: {1}.', suspect.expression, suspect.value),
      l10n.t('Click to go to the last write to it.'),
    ],
    command: 'lastWriteOfSuspect',
    argument: suspect,
    offer: true,
  }));
  return [
    ...suspects,
    {
      id: 'back',
      label: l10n.t('Step back from it'),
      description: l10n.t('to the line before'),
      icon: 'debug-step-back',
      details: [l10n.t('Goes to the crash and from there to the line before it.')],
      command: 'stepBackFromCrash',
      offer: true,
    },
    {
      id: 'replay',
      label: l10n.t('Replay it'),
      description: l10n.t('walk up to it once more'),
      icon: 'debug-restart-frame',
      details: [l10n.t('Goes to the last checkpoint before the crash: from there you can walk up to it again.')],
      command: 'replayCrash',
      offer: true,
    },
  ];
}
