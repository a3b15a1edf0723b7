/**
 * Draws how often each line was reached, at its end; lines that never were are
 * dimmed, hot ones marked, also in the overview ruler. The counts come from the
 * language server, and go when it says so or ends.
 */
import * as vscode from 'vscode';
import type { LineCounts } from '../../language-server/protocol/historyProtocol.js';
import { heatOf, shortCount, type Heat } from './heat.js';

const foreground: Record<Heat, string> = {
  never: 'chronofork.lineCountForeground',
  usual: 'chronofork.lineCountForeground',
  hot: 'chronofork.hotLineForeground',
};

export class LineDecorations implements vscode.Disposable {
  private readonly shown = new Map<string, LineCounts>();
  private types = decorationTypes();
  private readonly subscriptions = [
    vscode.window.onDidChangeVisibleTextEditors((editors) => editors.forEach((editor) => this.draw(editor))),
    vscode.window.onDidChangeActiveColorTheme(() => this.themeChanged()),
  ];

  show(counts: LineCounts): void {
    const key = vscode.Uri.parse(counts.uri).toString();
    if (counts.lines.length > 0) this.shown.set(key, counts);
    else this.shown.delete(key);
    for (const editor of vscode.window.visibleTextEditors)
      if (editor.document.uri.toString() === key) this.draw(editor);
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions, ...Object.values(this.types)).dispose();
  }

  private themeChanged(): void {
    vscode.Disposable.from(...Object.values(this.types)).dispose();
    this.types = decorationTypes();
    vscode.window.visibleTextEditors.forEach((editor) => this.draw(editor));
  }

  private draw(editor: vscode.TextEditor): void {
    const { document } = editor;
    const { lines: counts = [], present } = this.shown.get(document.uri.toString()) ?? {};
    const most = counts.reduce((sofar, { count }) => Math.max(sofar, count), 0);
    const options: Record<Heat, vscode.DecorationOptions[]> = { never: [], usual: [], hot: [] };
    for (const { line, count } of counts) {
      if (line < 0 || line >= document.lineCount) continue;
      const heat = heatOf(count, most);
      // What is about to be executed is read, not dimmed.
      options[heat === 'never' && line === present ? 'usual' : heat].push(
        decorationOf(document.lineAt(line), count, heat),
      );
    }
    for (const heat of ['never', 'usual', 'hot'] as const) editor.setDecorations(this.types[heat], options[heat]);
  }
}

function decorationOf(line: vscode.TextLine, count: number, heat: Heat): vscode.DecorationOptions {
  const { lineNumber, firstNonWhitespaceCharacterIndex: start, text } = line;
  return {
    range: new vscode.Range(lineNumber, start, lineNumber, text.length),
    renderOptions: {
      after: {
        contentText: shortCount(count),
        color: new vscode.ThemeColor(foreground[heat]),
        margin: '0 1ch 0 2ch',
        fontStyle: 'normal',
      },
    },
  };
}

/** In high contrast what is dim must still be read easily. */
function decorationTypes(): Record<Heat, vscode.TextEditorDecorationType> {
  const { kind } = vscode.window.activeColorTheme;
  const highContrast = kind === vscode.ColorThemeKind.HighContrast || kind === vscode.ColorThemeKind.HighContrastLight;
  const closed = vscode.DecorationRangeBehavior.ClosedClosed;
  return {
    never: vscode.window.createTextEditorDecorationType({
      rangeBehavior: closed,
      opacity: highContrast ? '0.8' : '0.6',
    }),
    usual: vscode.window.createTextEditorDecorationType({ rangeBehavior: closed }),
    hot: vscode.window.createTextEditorDecorationType({
      rangeBehavior: closed,
      isWholeLine: false,
      overviewRulerColor: new vscode.ThemeColor('chronofork.hotLineForeground'),
      overviewRulerLane: vscode.OverviewRulerLane.Left,
      after: { fontWeight: 'bold' },
    }),
  };
}
