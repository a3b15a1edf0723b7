/** What helps in the first minutes: the machine's check, the sample, the importer, the pages, and remedies. */
import * as vscode from 'vscode';
import type { ProgramChooser } from '../launch/chooseProgram.js';
import { showError } from '../sessionCommands.js';

export function registerFirstSteps(context: vscode.ExtensionContext, chooser: ProgramChooser): vscode.Disposable {
  const commands: Record<string, (argument: unknown) => Promise<unknown>> = {
    // Loaded when they are wanted: starting the extension must cost nothing.
    checkMachine: async () => (await import('./doctor.js')).checkThisMachine(context.asAbsolutePath('dist/cli.cjs')),
    debugSample: async () => (await import('./sample.js')).debugSample(context),
    importLaunch: async () => (await import('./importLaunch.js')).importLaunch(),
    troubleshooting: () => openPage(context, 'troubleshooting.md'),
    quickStart: () => openPage(context, 'quick-start.md'),
    walkthrough: async () =>
      vscode.commands.executeCommand('workbench.action.openWalkthrough', `${context.extension.id}#firstMinutes`, false),
    remedy: async (code) => (await import('./remedies.js')).showRemedies(chooser, code),
  };
  return vscode.Disposable.from(
    ...Object.entries(commands).map(([name, command]) =>
      vscode.commands.registerCommand(`chronofork.${name}`, (argument: unknown) => command(argument).catch(showError)),
    ),
  );
}

/** A page of docs/, as one reads it. */
async function openPage(context: vscode.ExtensionContext, name: string): Promise<void> {
  const page = vscode.Uri.joinPath(context.extensionUri, 'docs', name);
  try {
    await vscode.commands.executeCommand('markdown.showPreview', page);
  } catch {
    await vscode.window.showTextDocument(page);
  }
}
