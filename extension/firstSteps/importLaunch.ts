/**
 * "Use My cppdbg / lldb Configuration with Chronofork": reads launch.json,
 * writes a converted configuration behind the others, with its comments and
 * layout left alone, shows it, and says what could not be taken over.
 */
import * as l10n from '@vscode/l10n';
import { applyEdits, modify, parse } from 'jsonc-parser';
import * as vscode from 'vscode';
import { convertibleTypes, convertLaunch, type Given } from './convertLaunch.js';

interface Found {
  readonly file: vscode.Uri;
  readonly given: Given;
}

export async function importLaunch(): Promise<void> {
  const found = await configurations();
  if (found.length === 0) {
    void vscode.window.showInformationMessage(
      l10n.t('No launch.json of this workspace has a configuration of type cppdbg, lldb or lldb-dap.'),
    );
    return;
  }
  const chosen = found.length === 1 ? found[0] : await pick(found);
  if (!chosen) return;
  const { configuration, told } = convertLaunch(chosen.given);
  await append(chosen.file, configuration);
  const name = String(configuration.name);
  if (told.length === 0) {
    void vscode.window.showInformationMessage(l10n.t('“{0}” was added to launch.json.', name));
    return;
  }
  await vscode.window
    .showInformationMessage(l10n.t('“{0}” was added to launch.json. Not all could be taken over:', name), {
      modal: true,
      detail: told.map((sentence) => `• ${sentence}`).join('\n'),
    })
    .then(undefined, () => undefined);
}

async function configurations(): Promise<Found[]> {
  const found: Found[] = [];
  for (const folder of vscode.workspace.workspaceFolders ?? []) {
    const file = vscode.Uri.joinPath(folder.uri, '.vscode', 'launch.json');
    const bytes = await vscode.workspace.fs.readFile(file).then(
      (read) => read,
      () => undefined,
    );
    const launch = bytes && (parse(new TextDecoder().decode(bytes)) as { configurations?: unknown } | undefined);
    if (!Array.isArray(launch?.configurations)) continue;
    for (const given of launch.configurations as Given[])
      if (convertibleTypes.includes(String(given?.type))) found.push({ file, given });
  }
  return found;
}

async function pick(found: readonly Found[]): Promise<Found | undefined> {
  const items = found.map((one) => ({
    label: String(one.given.name ?? one.given.type),
    description: `${String(one.given.type)}, ${String(one.given.request ?? 'launch')}`,
    one,
  }));
  const title = l10n.t('Which configuration shall Chronofork use?');
  return (await vscode.window.showQuickPick(items, { title }))?.one;
}

async function append(file: vscode.Uri, configuration: object): Promise<void> {
  const document = await vscode.workspace.openTextDocument(file);
  const text = document.getText();
  const formattingOptions = { insertSpaces: !/^\t/m.test(text), tabSize: /^ {2}"/m.test(text) ? 2 : 4 };
  const edits = modify(text, ['configurations', -1], configuration, { isArrayInsertion: true, formattingOptions });
  const edit = new vscode.WorkspaceEdit();
  edit.replace(
    file,
    new vscode.Range(document.positionAt(0), document.positionAt(text.length)),
    applyEdits(text, edits),
  );
  await vscode.workspace.applyEdit(edit);
  await document.save();
  const editor = await vscode.window.showTextDocument(document);
  const at = document.getText().lastIndexOf(JSON.stringify((configuration as { name: string }).name));
  const place = document.positionAt(Math.max(0, at));
  editor.selection = new vscode.Selection(place, place);
  editor.revealRange(new vscode.Range(place, place), vscode.TextEditorRevealType.InCenter);
}
