/**
 * VS Code gives the editor the keyboard at each stop. A view that one walks
 * through by keyboard takes it back when that has been done.
 */
import * as vscode from 'vscode';

/** Where a stop is that the stack does not change at, nothing tells that it has come. */
const stopWithin_ms = 1500;

/**
 * Goes somewhere in time, and waits until VS Code shows where.
 * @param go  resolves when the adapter has answered; what it throws is thrown
 */
export async function untilShown<T>(go: () => Promise<T> | Thenable<T>): Promise<T> {
  let listening: vscode.Disposable | undefined;
  let timer: NodeJS.Timeout | undefined;
  const shown = new Promise<void>((resolve) => {
    listening = vscode.debug.onDidChangeActiveStackItem((item) => {
      if (item instanceof vscode.DebugStackFrame) resolve();
    });
  });
  try {
    const result = await go();
    const waited = new Promise<void>((resolve) => (timer = setTimeout(resolve, stopWithin_ms)));
    await Promise.race([shown, waited]);
    return result;
  } finally {
    clearTimeout(timer);
    listening?.dispose();
  }
}
