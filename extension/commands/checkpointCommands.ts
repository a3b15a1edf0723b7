/** The commands of the Checkpoints and Bookmarks views, and those that make what is in them. */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import { askForText } from '../askForText.js';
import type { Checkpoint } from '../../debug-adapter/protocol/timeTravel.js';
import { tell, tellArrival, tellBranch } from '../arrivals.js';
import { askName, type SessionCommand } from '../sessionCommands.js';
import { isBookmark, type CheckpointRow } from '../timeline/timelineModel.js';
import type { TimelineSession } from '../timeline/timelineSessions.js';
import { locationText, runTimeText } from '../timeline/words.js';

export const checkpointCommands: Readonly<Record<string, SessionCommand>> = {
  async createCheckpoint(session) {
    const { checkpoint } = await session.request('chronofork/checkpoint', { action: 'create' });
    if (checkpoint) vscode.window.setStatusBarMessage(l10n.t('Checkpoint made at {0}', placeOf(checkpoint)), 4000);
    await session.reload();
  },
  async bookmark(session) {
    const name = await askName(l10n.t('Bookmark this state'), await presentPlace(session));
    if (name === undefined) return;
    await session.request('chronofork/checkpoint', { action: 'create', name, pinned: true });
    await session.reload();
  },
  async goToCheckpoint(session, argument) {
    tellArrival(await session.request('chronofork/seek', { checkpoint: rowOf(argument).checkpoint.id }));
  },
  async deleteCheckpoint(session, argument, more) {
    for (const { checkpoint } of rowsOf(argument, more))
      await session.request('chronofork/checkpoint', { action: 'delete', id: checkpoint.id });
    await session.reload();
  },
  /** Where one stands the checkpoint itself is needed: then it only ceases to be a bookmark. */
  async deleteBookmark(session, argument, more) {
    for (const { checkpoint, here } of rowsOf(argument, more)) {
      const { id } = checkpoint;
      if (here) await session.request('chronofork/checkpoint', { action: 'unpin', id });
      else await session.request('chronofork/checkpoint', { action: 'delete', id });
    }
    await session.reload();
  },
  async pinCheckpoint(session, argument, more) {
    await change(session, rowsOf(argument, more), 'pin');
  },
  async unpinCheckpoint(session, argument, more) {
    await change(session, rowsOf(argument, more), 'unpin');
  },
  async renameCheckpoint(session, argument) {
    const { checkpoint } = rowOf(argument);
    const title = isBookmark(checkpoint) ? l10n.t('Rename the bookmark') : l10n.t('Name the checkpoint');
    const name = await askName(title, checkpoint.name);
    if (name === undefined) return;
    await session.request('chronofork/checkpoint', { action: 'rename', id: checkpoint.id, name });
    await session.reload();
  },
  async noteBookmark(session, argument) {
    const { checkpoint } = rowOf(argument);
    const note = await askForText({
      title: l10n.t('Note on “{0}”', checkpoint.name ?? placeOf(checkpoint)),
      prompt: l10n.t('What is worth remembering of this moment; empty takes the note away'),
      value: checkpoint.note,
    });
    if (note === undefined) return;
    await session.request('chronofork/checkpoint', { action: 'note', id: checkpoint.id, note: note.trim() });
    await session.reload();
  },
  async bookmarkCheckpoint(session, argument) {
    const { checkpoint } = rowOf(argument);
    const name = await askName(l10n.t('Bookmark this checkpoint'), checkpoint.name ?? placeOf(checkpoint));
    if (name !== undefined) await makeBookmark(session, checkpoint, name);
  },
  /** What a person who wants to try again expects: back there, and from there on live; the former run is kept. */
  async restartFromCheckpoint(session, argument) {
    const { checkpoint } = rowOf(argument);
    const arrival = await session.request('chronofork/seek', { checkpoint: checkpoint.id });
    if (arrival.outcome === 'cancelled') return tellArrival(arrival);
    const { live } = await session.request('chronofork/present', {});
    if (live) tell(l10n.t('This is where the program stands: it runs on from here anyway.'));
    else tellBranch(await session.request('chronofork/branch', {}));
    await session.reload();
    await vscode.commands.executeCommand('workbench.action.debug.continue');
  },
};

/** A checkpoint becomes a bookmark by a name and a pin. */
export async function makeBookmark(session: TimelineSession, checkpoint: Checkpoint, name: string): Promise<void> {
  await session.request('chronofork/checkpoint', { action: 'rename', id: checkpoint.id, name });
  await session.request('chronofork/checkpoint', { action: 'pin', id: checkpoint.id });
  await session.reload();
}

async function change(
  session: TimelineSession,
  rows: readonly CheckpointRow[],
  action: 'pin' | 'unpin',
): Promise<void> {
  for (const { checkpoint } of rows) await session.request('chronofork/checkpoint', { action, id: checkpoint.id });
  await session.reload();
}

export function placeOf(checkpoint: Checkpoint): string {
  return locationText(checkpoint.location) ?? runTimeText(checkpoint.moment.timeMs);
}

export function isRow(argument: unknown): argument is CheckpointRow {
  return typeof argument === 'object' && argument !== null && 'checkpoint' in argument;
}

export function rowOf(argument: unknown): CheckpointRow {
  if (isRow(argument)) return argument;
  throw new Error(l10n.t('Select a checkpoint in the Checkpoints or Bookmarks view.'));
}

/** The rows that a tree's command is about: all that are selected, if the one that was clicked is among them. */
export function rowsOf(argument: unknown, more: unknown): CheckpointRow[] {
  const row = rowOf(argument);
  const selected = Array.isArray(more) ? more.filter(isRow) : [];
  return selected.some((one) => one.checkpoint.id === row.checkpoint.id) ? selected : [row];
}

/** Where the program stands, as a first suggestion for a bookmark's name. */
async function presentPlace(session: TimelineSession): Promise<string | undefined> {
  const item = vscode.debug.activeStackItem;
  if (item?.session.id !== session.debugSession.id) return undefined;
  const stack = (await session.debugSession.customRequest('stackTrace', {
    threadId: item.threadId,
    startFrame: 0,
    levels: 1,
  })) as { stackFrames: { name: string; line: number; source?: { path?: string } }[] };
  const top = stack.stackFrames[0];
  return top && locationText({ function: top.name, path: top.source?.path, line: top.line });
}
