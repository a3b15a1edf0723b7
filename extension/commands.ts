/**
 * Every palette command, by what it is about. Each finds the session it is
 * meant for, sends one request, and says what the editor does not show; all
 * else is the adapter's. What is shown when is in package.json (`when`,
 * `enablement`).
 */
import * as vscode from 'vscode';
import { attachConfiguration, pickProcess } from './attach/pickProcess.js';
import { branchCommands } from './branches/branchCommands.js';
import { checkpointCommands } from './commands/checkpointCommands.js';
import { timeCommands } from './commands/timeCommands.js';
import { writeCommands } from './commands/writeCommands.js';
import { crashCommands } from './crash/crashCommands.js';
import { compareCommands } from './moments/compareCommands.js';
import { goToCommands } from './moments/goToCommands.js';
import { visitedCommands } from './moments/visitedCommands.js';
import type { ProgramChooser } from './launch/chooseProgram.js';
import { registerSessionCommands } from './sessionCommands.js';
import type { TimelineSessions } from './timeline/timelineSessions.js';

export function registerCommands(sessions: TimelineSessions, chooser: ProgramChooser): vscode.Disposable {
  return vscode.Disposable.from(
    registerSessionCommands(sessions, {
      ...timeCommands,
      ...writeCommands,
      ...checkpointCommands,
      ...branchCommands,
      ...crashCommands,
      ...visitedCommands,
      ...goToCommands,
      ...compareCommands,
    }),
    // Also a variable of launch.json: "program": "${command:ChooseProgram}".
    vscode.commands.registerCommand('chronofork.pickProcess', pickProcess),
    vscode.commands.registerCommand('chronofork.attachToProcess', () =>
      vscode.debug.startDebugging(vscode.workspace.workspaceFolders?.[0], attachConfiguration),
    ),
    vscode.commands.registerCommand('chronofork.chooseProgram', () =>
      chooser.choose(vscode.workspace.workspaceFolders?.[0]),
    ),
  );
}
