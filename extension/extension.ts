/** Starts the extension: wires the parts together and decides nothing. */
import type * as vscode from 'vscode';
import type { TimeTravelEvents } from '../debug-adapter/protocol/timeTravel.js';
import { registerAdapterProcess } from './adapterProcess.js';
import { showBookmarksView } from './bookmarks/bookmarksView.js';
import { showCheckpointsView } from './checkpoints/checkpointsView.js';
import { registerCommands, showError } from './commands.js';
import { askEditedContinue } from './editedContinue.js';
import { registerHistory } from './history/history.js';
import { ProgramChooser } from './launch/chooseProgram.js';
import { RememberedPrograms } from './launch/rememberedPrograms.js';
import { registerLaunchConfigurations } from './launchConfig.js';
import { Notices } from './notices.js';
import { showStatusBar } from './statusBar.js';
import { showTimelineView } from './timeline/timelineView.js';
import { setContext, TimelineSessions } from './timeline/timelineSessions.js';

export function activate(context: vscode.ExtensionContext): void {
  const chooser = new ProgramChooser(new RememberedPrograms(context.workspaceState));
  const notices = new Notices();
  const sessions = new TimelineSessions((session, event, body) => {
    if (event === 'chronofork/notice') {
      notices.show(session.debugSession.id, body as TimeTravelEvents['chronofork/notice']);
    } else if (event === 'chronofork/editedContinue') {
      askEditedContinue(session, body as TimeTravelEvents['chronofork/editedContinue']).catch(showError);
    }
  });
  context.subscriptions.push(
    sessions,
    registerLaunchConfigurations(chooser),
    registerAdapterProcess(context),
    registerCommands(sessions, chooser),
    showCheckpointsView(sessions),
    showBookmarksView(sessions),
    showStatusBar(sessions),
    showTimelineView(context, sessions),
    registerHistory(context),
  );
  // From now on the views stay in the debug side bar, also between sessions.
  setContext('chronofork.active', true);
}
