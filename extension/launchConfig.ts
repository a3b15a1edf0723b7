/**
 * Fills in and checks launch configurations of type `chronofork`.
 *
 * F5 without a launch.json arrives here as an empty configuration and leaves as
 * a complete one. What a person wrote is checked twice: attributes as they are,
 * paths after VS Code has put in `${workspaceFolder}` and its like.
 *
 * Easy to get wrong: for VS Code `undefined` means "stop here, without a word"
 * and `null` means "stop and open launch.json"; so every `undefined` below
 * follows a message.
 */
import path from 'node:path';
import * as vscode from 'vscode';
import { checkAttributes, checkPaths, type LaunchProblem } from './launch/checkLaunch.js';
import { openSource, rootOf, type ProgramChooser } from './launch/chooseProgram.js';
import { likelyPrograms } from './launch/likelyPrograms.js';

export const debugType = 'chronofork';

/** Marks a configuration that no launch.json holds; the adapter ignores it. */
const madeUp = '__withoutLaunchJson';

export function registerLaunchConfigurations(chooser: ProgramChooser): vscode.Disposable {
  return vscode.Disposable.from(
    vscode.debug.registerDebugConfigurationProvider(debugType, new LaunchProvider(chooser)),
    vscode.debug.registerDebugConfigurationProvider(
      debugType,
      { provideDebugConfigurations: foundConfigurations },
      vscode.DebugConfigurationProviderTriggerKind.Dynamic,
    ),
  );
}

class LaunchProvider implements vscode.DebugConfigurationProvider {
  constructor(private readonly chooser: ProgramChooser) {}

  /** A first launch.json: with the program that would have been offered. */
  async provideDebugConfigurations(folder: vscode.WorkspaceFolder | undefined): Promise<vscode.DebugConfiguration[]> {
    const found = await foundConfigurations(folder);
    return [found[0] ?? { ...launchOf('${workspaceFolder}/program', 'Debug with Chronofork'), args: [] }];
  }

  async resolveDebugConfiguration(
    folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): Promise<vscode.DebugConfiguration | undefined> {
    if (!configuration.type && !configuration.request && !configuration.name) {
      const program = await this.chooser.programFor(folder);
      if (program === undefined) return undefined;
      configuration = { ...launchOf(program, path.basename(program)), [madeUp]: true };
    }
    const problems = checkAttributes(configuration);
    if (problems.length > 0) return this.refuse(folder, configuration, problems);
    if (configuration.request === 'attach') {
      const process = configuration.pid ?? configuration.processId ?? '${command:pickProcess}';
      return { ...configuration, pid: process, onEditedContinue: configuration.onEditedContinue ?? 'ask' };
    }
    return {
      // The program's own terminal shall not be covered by the debug console.
      ...(configuration.console === 'integratedTerminal' ? { internalConsoleOptions: 'neverOpen' } : {}),
      ...configuration,
      // Lines of output in the debug console lead to their moment.
      __outputLinks: true,
      cwd: configuration.cwd || (folder ? '${workspaceFolder}' : path.dirname(configuration.program)),
      onEditedContinue: configuration.onEditedContinue ?? 'ask',
    };
  }

  async resolveDebugConfigurationWithSubstitutedVariables(
    folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): Promise<vscode.DebugConfiguration | undefined> {
    const problems = await checkPaths(configuration);
    return problems.length > 0 ? this.refuse(folder, configuration, problems) : configuration;
  }

  /** Says what is wrong and offers the way to mend it. */
  private async refuse(
    folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
    problems: readonly LaunchProblem[],
  ): Promise<undefined> {
    const open = configuration[madeUp] ? 'Choose Another Program…' : 'Open launch.json';
    const heading = configuration[madeUp]
      ? 'The program cannot be started.'
      : `The launch configuration “${configuration.name}” cannot be used.`;
    const detail = problems.map((problem) => problem.message).join('\n');
    // Not awaited: the answer must not keep VS Code from ending the start of this session.
    const mend = async (answer: string | undefined): Promise<void> => {
      if (answer !== open) return;
      if (!configuration[madeUp]) await vscode.commands.executeCommand('workbench.action.debug.configure');
      else if ((await this.chooser.choose(folder)) !== undefined) {
        await vscode.commands.executeCommand('workbench.action.debug.start');
      }
    };
    // Where dialogs are not allowed (in test runs) there is nobody to answer.
    const nobody = (): undefined => undefined;
    void vscode.window.showErrorMessage(heading, { modal: true, detail }, open).then(mend, nobody);
    return undefined;
  }
}

/** What "Select and Start Debugging" offers: one configuration for each program that was found. */
async function foundConfigurations(folder: vscode.WorkspaceFolder | undefined): Promise<vscode.DebugConfiguration[]> {
  // Without a folder VS Code means the user's settings; a workspace's programs belong to the workspace.
  if (!folder && vscode.workspace.workspaceFolders?.length) return [];
  const source = openSource();
  const root = rootOf(folder, source);
  const programs = await likelyPrograms(source, root);
  return programs.map((program) => {
    const shown = root && program.path.startsWith(root + path.sep) ? path.relative(root, program.path) : program.path;
    const inWorkspace = folder !== undefined && shown !== program.path;
    return launchOf(inWorkspace ? `\${workspaceFolder}/${shown}` : program.path, `Debug ${shown}`);
  });
}

function launchOf(program: string, name: string): vscode.DebugConfiguration {
  return { type: debugType, request: 'launch', name, program };
}
