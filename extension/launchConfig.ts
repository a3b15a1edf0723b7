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
import { access } from 'node:fs/promises';
import path from 'node:path';
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import { installCommand } from './firstSteps/installCommand.js';
import { checkMachine, commandRemedies, offer, openLaunchJson, type Remedy } from './firstSteps/remedies.js';
import { checkAttributes, checkPaths, type LaunchProblem } from './launch/checkLaunch.js';
import { openSource, rootOf, type ProgramChooser } from './launch/chooseProgram.js';
import { likelyPrograms } from './launch/likelyPrograms.js';
import { settings } from './settings.js';

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
    return [found[0] ?? { ...launchOf('${workspaceFolder}/program', l10n.t('Debug with Chronofork')), args: [] }];
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
    configuration = withSettings(configuration, folder);
    if (configuration.request === 'attach') {
      const process = configuration.pid ?? configuration.processId ?? '${command:pickProcess}';
      return { ...configuration, pid: process };
    }
    return {
      // The program's own terminal shall not be covered by the debug console.
      ...(configuration.console === 'integratedTerminal' ? { internalConsoleOptions: 'neverOpen' } : {}),
      ...configuration,
      // Lines of output in the debug console lead to their moment.
      __outputLinks: true,
      cwd: configuration.cwd || (folder ? '${workspaceFolder}' : path.dirname(configuration.program)),
    };
  }

  async resolveDebugConfigurationWithSubstitutedVariables(
    folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): Promise<vscode.DebugConfiguration | undefined> {
    const problems = await checkPaths(configuration);
    if (problems.length > 0) return this.refuse(folder, configuration, problems);
    if (await isOnPath(configuration.gdbPath)) return configuration;
    return refuseWithoutGdb(configuration.gdbPath);
  }

  /** Starts with another program: of a configuration that somebody wrote, this once. */
  private chooseProgram(folder: vscode.WorkspaceFolder | undefined, configuration: vscode.DebugConfiguration): Remedy {
    return {
      label: configuration[madeUp] ? l10n.t('Choose Another Program…') : l10n.t('Choose a Program…'),
      run: async () => {
        const program = await this.chooser.choose(folder);
        if (program === undefined) return;
        if (configuration[madeUp]) await vscode.commands.executeCommand('workbench.action.debug.start');
        else await vscode.debug.startDebugging(folder, { ...configuration, program });
      },
    };
  }

  /** Says what is wrong and offers the way to mend it. */
  private async refuse(
    folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
    problems: readonly LaunchProblem[],
  ): Promise<undefined> {
    const heading = configuration[madeUp]
      ? l10n.t('The program cannot be started.')
      : l10n.t('The launch configuration “{0}” cannot be used.', configuration.name);
    const detail = problems.map((problem) => problem.message).join('\n');
    const remedies: Remedy[] = configuration[madeUp] ? [] : [openLaunchJson()];
    if (problems.some(({ attribute }) => attribute === 'program'))
      remedies.push(this.chooseProgram(folder, configuration));
    // Not awaited: the answer must not keep VS Code from ending the start of this session.
    void offer(heading, detail, remedies);
    return undefined;
  }
}

/** What launch.json leaves open is as the user's settings say. */
function withSettings(
  configuration: vscode.DebugConfiguration,
  folder: vscode.WorkspaceFolder | undefined,
): vscode.DebugConfiguration {
  const { gdbPath, intervalMs, memoryMb, onEditedContinue, followChildren, console } = settings(folder);
  const launch = configuration.request === 'launch' ? { console } : {};
  return {
    ...launch,
    ...configuration,
    gdbPath: configuration.gdbPath || gdbPath,
    checkpoints: { intervalMs, memoryMb, ...configuration.checkpoints },
    onEditedContinue: configuration.onEditedContinue ?? onEditedContinue,
    followChildren: configuration.followChildren ?? followChildren,
    // VS Code's own message of a start that failed gets a button that leads to what helps.
    errorUrl: `command:chronofork.remedy?${encodeURIComponent('["')}{code}${encodeURIComponent('"]')}`,
    errorUrlLabel: l10n.t('What Helps?'),
  };
}

/** A path was checked with the others; a bare name is looked for as the adapter will. */
async function isOnPath(command: string): Promise<boolean> {
  if (command.includes('/')) return true;
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    const found = await access(path.join(folder, command)).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

function refuseWithoutGdb(gdbPath: string): undefined {
  const command = installCommand('gdb');
  const where = l10n.t('If there is one elsewhere, name it in the setting “chronofork.gdbPath”.');
  void offer(
    l10n.t('Chronofork needs gdb, and there is no “{0}” on this machine.', gdbPath),
    [command && l10n.t('It is installed by: {0}', command), where].filter(Boolean).join('\n'),
    [...commandRemedies(command), checkMachine()],
  );
  return undefined;
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
    return launchOf(inWorkspace ? `\${workspaceFolder}/${shown}` : program.path, l10n.t('Debug {0}', shown));
  });
}

function launchOf(program: string, name: string): vscode.DebugConfiguration {
  return { type: debugType, request: 'launch', name, program };
}
