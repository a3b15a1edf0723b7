/**
 * The question when the user presses Continue, or steps forward, after having
 * changed something in the past.
 *
 * No extension may take over the Continue button. So the adapter refuses (the
 * launch option `onEditedContinue: 'ask'`), stays where it is and sends
 * `chronofork/editedContinue`; the answer is carried out as two requests.
 */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import type { TimeTravelEvents } from '../debug-adapter/protocol/timeTravel.js';
import { tellBranch } from './arrivals.js';
import type { TimelineSession } from './timeline/timelineSessions.js';

type Refused = TimeTravelEvents['chronofork/editedContinue'];

/** VS Code's own commands for the requests: they let the debug toolbar know that the program runs. */
const commands: Record<Refused['command'], string> = {
  continue: 'workbench.action.debug.continue',
  next: 'workbench.action.debug.stepOver',
  stepIn: 'workbench.action.debug.stepInto',
  stepOut: 'workbench.action.debug.stepOut',
};

export async function askEditedContinue(session: TimelineSession, refused: Refused): Promise<void> {
  const branch = l10n.t('Run On From Here (New Branch)');
  const discard = l10n.t('Discard the Change and Replay');
  const answer = await vscode.window.showWarningMessage(
    l10n.t('You have changed something in the past. How shall the program continue?'),
    {
      modal: true,
      detail:
        `${l10n.t('Run on from here: the program goes on live with your change; what it does is real. The former run is kept and you can go back to it.')}\n\n` +
        l10n.t('Discard the change: the program replays what it really did.'),
    },
    branch,
    discard,
  );
  if (answer === branch) tellBranch(await session.request('chronofork/branch', {}));
  else if (answer === discard) await session.request('chronofork/discardEdits', {});
  else return;
  if (vscode.debug.activeDebugSession?.id === session.debugSession.id) {
    await vscode.commands.executeCommand(commands[refused.command]);
  } else {
    await session.debugSession.customRequest(refused.command, { threadId: refused.threadId });
  }
}
