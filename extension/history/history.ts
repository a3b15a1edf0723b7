/**
 * History in the editor: starts the language server and its client with the
 * first Chronofork session and ends them with the last. Until then there is
 * neither a process nor a provider, and the client's code is not even loaded:
 * it is a bundle of its own (scripts/build.mjs).
 */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import { askForText } from '../askForText.js';
import { expressionAt } from '../expressionAt.js';
import { debugType } from '../launchConfig.js';
import type { HistoryClient } from './historyClient.js';

type Commands = Record<string, (editor: vscode.TextEditor) => Promise<unknown>>;

/** What the palette offers, about the place of the cursor. */
const commands: Commands = {
  async listCallsHere({ document, selection }) {
    const argument = { uri: document.uri.toString(), line: selection.active.line + 1 };
    await vscode.commands.executeCommand('chronofork.history.listCalls', argument);
  },
  async logExpressionHere({ document, selection }) {
    const line = selection.active.line + 1;
    const expression = await askForText({
      title: l10n.t('Log an expression over the past'),
      prompt: l10n.t('Its value each time line {0} was reached', line),
      placeHolder: 'total, node->next, i * 2',
      value: selection.isEmpty
        ? expressionAt(document.lineAt(selection.active).text, selection.active.character)
        : document.getText(selection),
    });
    if (!expression?.trim()) return;
    const argument = { uri: document.uri.toString(), line, expression: expression.trim() };
    await vscode.commands.executeCommand('chronofork.history.logExpression', argument);
  },
  async countHere({ document }) {
    await vscode.commands.executeCommand('chronofork.history.count', { uri: document.uri.toString() });
  },
};

export function registerHistory(context: vscode.ExtensionContext): vscode.Disposable {
  const running = new RunningHistory(context);
  const registered = Object.entries(commands).map(([name, command]) =>
    vscode.commands.registerTextEditorCommand(`chronofork.${name}`, (editor) => {
      if (running.isNeeded) void running.ready().then(() => command(editor));
      else void vscode.window.showInformationMessage(l10n.t('Start debugging with Chronofork first.'));
    }),
  );
  return vscode.Disposable.from(
    ...registered,
    running,
    vscode.debug.onDidStartDebugSession((session) => running.began(session)),
    vscode.debug.onDidTerminateDebugSession((session) => running.ended(session)),
  );
}

/** The client while there are sessions; starting and ending follow each other, never overlap. */
class RunningHistory implements vscode.Disposable {
  private readonly sessions = new Set<string>();
  private client: HistoryClient | undefined;
  private changing: Promise<void> = Promise.resolve();

  constructor(private readonly context: vscode.ExtensionContext) {}

  get isNeeded(): boolean {
    return this.sessions.size > 0;
  }

  ready(): Promise<void> {
    return this.changing;
  }

  began(session: vscode.DebugSession): void {
    if (session.type !== debugType) return;
    this.sessions.add(session.id);
    this.settle();
  }

  ended(session: vscode.DebugSession): void {
    if (this.sessions.delete(session.id)) this.settle();
  }

  dispose(): void {
    this.sessions.clear();
    this.settle();
  }

  private settle(): void {
    this.changing = this.changing.then(() => this.startOrStop()).catch((error: unknown) => console.error(error));
  }

  private async startOrStop(): Promise<void> {
    if (this.isNeeded && !this.client) {
      const { HistoryClient } = await import('./historyClient.js');
      const client = new HistoryClient(this.context.asAbsolutePath('dist/cli.cjs'));
      try {
        await client.start();
        this.client = client;
      } catch (error) {
        // The client has said it; the next session tries again.
        await client.stop();
        throw error;
      }
    } else if (!this.isNeeded && this.client) {
      const { client } = this;
      this.client = undefined;
      await client.stop();
    }
  }
}
