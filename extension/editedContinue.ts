/**
 * The question when the user presses Continue after having changed something
 * in the past.
 *
 * No extension may take over the Continue button. So the adapter refuses (the
 * launch option `onEditedContinue: 'ask'`), stays where it is and sends
 * `chronofork/editedContinue`; the answer is carried out as two requests.
 */
import * as vscode from 'vscode';
import { tellBranch } from './arrivals.js';
import type { TimelineSession } from './timeline/timelineSessions.js';

const branch = 'Run On from Here (New Branch)';
const discard = 'Discard the Change and Replay';

export async function askEditedContinue(session: TimelineSession, threadId: number): Promise<void> {
  const answer = await vscode.window.showWarningMessage(
    'You have changed something in the past. How shall the program continue?',
    {
      modal: true,
      detail:
        'Run on from here: the program goes on live with your change; what it does is real. ' +
        'The former run is kept and you can go back to it.\n\n' +
        'Discard the change: the program replays what it really did.',
    },
    branch,
    discard,
  );
  if (answer === branch) tellBranch(await session.request('chronofork/branch', {}));
  else if (answer === discard) await session.request('chronofork/discardEdits', {});
  else return;
  // By VS Code's own command where it means this session, so that the debug toolbar knows that the program runs.
  if (vscode.debug.activeDebugSession?.id === session.debugSession.id) {
    await vscode.commands.executeCommand('workbench.action.debug.continue');
  } else {
    await session.debugSession.customRequest('continue', { threadId });
  }
}
