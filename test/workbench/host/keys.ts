/** Default keys: none that VS Code itself uses on this system while a debug session stands still. */
import assert from 'node:assert/strict';
import { parse } from 'jsonc-parser';
import * as vscode from 'vscode';
import { extension } from './support.js';

interface Binding {
  readonly key: string;
  readonly command: string;
  readonly when?: string;
}

/** Where ours do not apply: their conditions exclude it, or it cannot be while the editor or a debug view has the focus. */
const elsewhere =
  /terminalFocus|terminalHasBeenCreated|terminalProcessSupported|inQuickOpen|inQuickInput|inputFocus && !editorTextFocus|notebook|chat|inlineChat|interactive|speech|webview|explorerViewletFocus|filesExplorerFocus|scm|search|suggestWidget|parameterHints|rename|breadcrumbs|listFocus|treeFind|isInDiffEditor|comment|merge|testing|accessib|hover|sash|quickInput|panelFocus/i;

describe('keys', () => {
  it('do not take a key away from VS Code', async () => {
    const document = await vscode.workspace.openTextDocument(
      vscode.Uri.parse('vscode://defaultsettings/keybindings.json'),
    );
    const defaults = parse(document.getText()) as Binding[];
    assert.ok(defaults.length > 500, `only ${defaults.length} keys are known`);
    const { keybindings } = (extension().packageJSON as { contributes: { keybindings: Binding[] } }).contributes;
    const ours = new Set(keybindings.map(({ key }) => key));
    const taken = defaults.filter(
      ({ key, command, when = '' }) =>
        ours.has(key) &&
        when !== 'false' &&
        !command.startsWith('chronofork.') &&
        !keybindings.some((own) => own.key === key && own.command === command) &&
        !elsewhere.test(when),
    );
    assert.deepEqual(taken, []);
  });
});
