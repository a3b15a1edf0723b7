/** An input box that stays when something else takes the focus. */
import * as vscode from 'vscode';

/** A stop takes the focus to the editor, and with it what was being typed. Escape closes the box. */
export function askForText(options: vscode.InputBoxOptions): Thenable<string | undefined> {
  return vscode.window.showInputBox({ ...options, ignoreFocusOut: true });
}
