/** The user's settings, `chronofork.…`: read when they are needed, so that a change works at once. */
import * as vscode from 'vscode';

export interface Settings {
  readonly gdbPath: string;
  readonly intervalMs: number;
  readonly memoryMb: number;
  readonly onEditedContinue: 'ask' | 'branch' | 'discard';
  readonly console: 'internalConsole' | 'integratedTerminal';
  readonly followChildren: boolean;
  readonly arrivalMessages: 'notification' | 'statusBar';
  readonly visitedPlaces: number;
}

export function settings(scope?: vscode.ConfigurationScope): Settings {
  const given = vscode.workspace.getConfiguration('chronofork', scope);
  return {
    gdbPath: given.get('gdbPath', 'gdb').trim() || 'gdb',
    intervalMs: given.get('checkpoints.intervalMs', 100),
    memoryMb: given.get('checkpoints.memoryMb', 0),
    onEditedContinue: given.get('onEditedContinue', 'ask'),
    console: given.get('console', 'internalConsole'),
    followChildren: given.get('followChildren', false),
    arrivalMessages: given.get('arrivalMessages', 'notification'),
    visitedPlaces: given.get('visitedPlaces', 100),
  };
}
