/** The commands of the Branches view: go to where a branch stands, give it another name. */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import { askForText } from '../askForText.js';
import { tellArrival } from '../arrivals.js';
import type { SessionCommand } from '../sessionCommands.js';
import type { TimelineSession } from '../timeline/timelineSessions.js';
import { branchRows, type BranchRow } from './branchRows.js';

export const branchCommands: Readonly<Record<string, SessionCommand>> = {
  async goToBranch(session, argument) {
    const row = isBranchRow(argument) ? argument : await pickBranch(session, l10n.t('Go to a branch'));
    if (!row?.branch.end) return;
    tellArrival(await session.request('chronofork/seek', { moment: row.branch.end.id }), 'end');
  },
  async renameBranch(session, argument) {
    const row = isBranchRow(argument) ? argument : await pickBranch(session, l10n.t('Rename a branch'));
    if (!row) return;
    const name = await askForText({
      title: l10n.t('Rename the branch'),
      prompt: l10n.t('What is tried on it; empty gives back its first name'),
      value: row.label,
    });
    if (name === undefined) return;
    await session.request('chronofork/renameBranch', { id: row.branch.id, name });
    await session.reload();
  },
};

function isBranchRow(argument: unknown): argument is BranchRow {
  return typeof argument === 'object' && argument !== null && 'branch' in argument;
}

async function pickBranch(session: TimelineSession, title: string): Promise<BranchRow | undefined> {
  await session.reload();
  const rows = branchRows(session.model);
  if (rows.length === 0)
    throw new Error(l10n.t('There is one line of time only. A branch begins where the program runs on from the past.'));
  const items = rows.map((row) => ({
    label: row.label,
    description: row.description,
    iconPath: new vscode.ThemeIcon(row.present ? 'debug-stackframe' : 'git-branch'),
    row,
  }));
  return (await vscode.window.showQuickPick(items, { title, matchOnDescription: true }))?.row;
}
