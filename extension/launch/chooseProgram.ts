/**
 * Asks the user which program to debug, and remembers the answer for the
 * workspace. Finding candidates and remembering are pure and live beside this
 * file; here is only the asking.
 */
import * as l10n from '@vscode/l10n';
import path from 'node:path';
import * as vscode from 'vscode';
import { access } from 'node:fs/promises';
import { likelyPrograms, type LikelyProgram } from './likelyPrograms.js';
import type { RememberedPrograms } from './rememberedPrograms.js';

/** The languages that F5 works for without a launch.json; also in package.json. */
export const debuggedLanguages = ['c', 'cpp', 'rust'];

export class ProgramChooser {
  constructor(private readonly remembered: RememberedPrograms) {}

  /** The program for the open file: the remembered one, else the user's answer. Undefined: the user does not want one. */
  async programFor(folder: vscode.WorkspaceFolder | undefined): Promise<string | undefined> {
    const source = openSource();
    const candidates = await likelyPrograms(source, rootOf(folder, source));
    const recalled = this.remembered.recall(
      source,
      candidates.some((candidate) => candidate.sameName),
    );
    if (recalled !== undefined && (await exists(recalled))) return recalled;
    return this.ask(folder, source, candidates);
  }

  /** Asks whatever is remembered; the answer replaces it. */
  async choose(folder: vscode.WorkspaceFolder | undefined): Promise<string | undefined> {
    const source = openSource();
    return this.ask(folder, source, await likelyPrograms(source, rootOf(folder, source)));
  }

  private async ask(
    folder: vscode.WorkspaceFolder | undefined,
    source: string | undefined,
    candidates: readonly LikelyProgram[],
  ): Promise<string | undefined> {
    const chosen =
      candidates.length > 0
        ? await this.pick(folder, source, candidates)
        : await explainAndBrowse(source, rootOf(folder, source));
    if (chosen !== undefined) await this.remembered.remember(source, chosen);
    return chosen;
  }

  private async pick(
    folder: vscode.WorkspaceFolder | undefined,
    source: string | undefined,
    candidates: readonly LikelyProgram[],
  ): Promise<string | undefined> {
    const root = rootOf(folder, source);
    const last = this.remembered.last;
    const items = candidates.map((candidate) => ({
      label: path.basename(candidate.path),
      description: relativeFolder(candidate.path, root),
      detail: candidate.olderThanSource
        ? `$(warning) ${l10n.t('Built before {0} was last saved: its lines may not match', path.basename(source ?? ''))}`
        : undefined,
      program: candidate.path,
      iconPath: new vscode.ThemeIcon(candidate.path === last ? 'history' : 'file-binary'),
    }));
    const browse = {
      label: l10n.t('Choose another file…'),
      program: undefined,
      iconPath: new vscode.ThemeIcon('folder-opened'),
    };
    const separator = { label: '', kind: vscode.QuickPickItemKind.Separator, program: undefined };
    const picked = await vscode.window.showQuickPick([...items, separator, browse], {
      title: source ? l10n.t('Program to debug for {0}', path.basename(source)) : l10n.t('Program to debug'),
      placeHolder: l10n.t('Chronofork remembers the answer for this workspace'),
      matchOnDescription: true,
    });
    if (!picked) return undefined;
    return picked.program ?? browseForProgram(root);
  }
}

/** The file in the active editor, when it is of a language that we debug. */
export function openSource(): string | undefined {
  const document = vscode.window.activeTextEditor?.document;
  return document?.uri.scheme === 'file' && debuggedLanguages.includes(document.languageId)
    ? document.uri.fsPath
    : undefined;
}

/** Where to look for programs: the source file's workspace folder; without one, the file's own folder. */
export function rootOf(folder: vscode.WorkspaceFolder | undefined, source: string | undefined): string | undefined {
  const ofSource = source === undefined ? undefined : vscode.workspace.getWorkspaceFolder(vscode.Uri.file(source));
  const uri = (ofSource ?? folder ?? vscode.workspace.workspaceFolders?.[0])?.uri;
  return uri?.scheme === 'file' ? uri.fsPath : source && path.dirname(source);
}

async function explainAndBrowse(source: string | undefined, root: string | undefined): Promise<string | undefined> {
  const browse = l10n.t('Choose a File…');
  const message = source
    ? l10n.t('No program built from {0} was found.', path.basename(source))
    : l10n.t('No built program was found.');
  const detail = `${l10n.t('Build it with debug information and press F5 again, for example:')}\n${buildExample(source)}`;
  const answer = await vscode.window.showErrorMessage(message, { modal: true, detail }, browse);
  return answer === browse ? browseForProgram(root) : undefined;
}

function buildExample(source: string | undefined): string {
  if (!source) return 'g++ -g -O0 -o program program.cc';
  const file = path.basename(source);
  const extension = path.extname(file);
  if (extension === '.rs') return 'cargo build';
  return `${extension === '.c' ? 'gcc' : 'g++'} -g -O0 -o ${path.basename(file, extension)} ${file}`;
}

async function browseForProgram(root: string | undefined): Promise<string | undefined> {
  const answer = await vscode.window.showOpenDialog({
    title: l10n.t('Program to debug'),
    openLabel: l10n.t('Debug'),
    defaultUri: root ? vscode.Uri.file(root) : undefined,
  });
  return answer?.[0]?.fsPath;
}

function relativeFolder(program: string, root: string | undefined): string {
  const folder = path.dirname(program);
  if (!root) return folder;
  const relative = path.relative(root, folder);
  if (relative === '') return '';
  return relative.startsWith('..') ? folder : relative;
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
