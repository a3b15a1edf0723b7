/**
 * What helps when a session cannot begin: each as a button that does it, or
 * that puts the command into a terminal, where the user still presses Enter.
 */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import type { ProgramChooser } from '../launch/chooseProgram.js';
import { commandIn, installCommand } from './installCommand.js';

export interface Remedy {
  readonly label: string;
  run(): unknown;
}

/** Shows a command in a terminal without running it: it may need a password, and it is the user's machine. */
export function inTerminal(command: string): Remedy {
  return {
    label: l10n.t('Open a Terminal with the Command'),
    run() {
      const terminal = vscode.window.createTerminal('Chronofork');
      terminal.show();
      terminal.sendText(command, false);
    },
  };
}

export function copied(command: string): Remedy {
  return {
    label: l10n.t('Copy the Command'),
    run: () => vscode.env.clipboard.writeText(command),
  };
}

export function commandRemedies(command: string | undefined): Remedy[] {
  return command === undefined ? [] : [inTerminal(command), copied(command)];
}

export function checkMachine(): Remedy {
  return {
    label: l10n.t('Check This Machine'),
    run: () => vscode.commands.executeCommand('chronofork.checkMachine'),
  };
}

export function openTroubleshooting(): Remedy {
  return {
    label: l10n.t('Open Troubleshooting'),
    run: () => vscode.commands.executeCommand('chronofork.troubleshooting'),
  };
}

export function openLaunchJson(): Remedy {
  return {
    label: l10n.t('Open launch.json'),
    run: () => vscode.commands.executeCommand('workbench.action.debug.configure'),
  };
}

/** A modal sentence with its remedies as buttons. Not awaited by those who start sessions. */
export async function offer(message: string, detail: string, remedies: readonly Remedy[]): Promise<void> {
  const labels = remedies.map(({ label }) => label);
  // Where dialogs are not allowed (in test runs) there is nobody to answer.
  const answer = await vscode.window.showErrorMessage(message, { modal: true, detail }, ...labels).then(
    (given) => given,
    () => undefined,
  );
  await remedies.find(({ label }) => label === answer)?.run();
}

/** `chronofork.remedy`: VS Code's own message of a failed start leads here, with the error's code. */
export async function showRemedies(chooser: ProgramChooser, code: unknown): Promise<void> {
  const { message, detail, remedies } = remediesFor(chooser, String(code));
  await offer(message, detail, remedies);
}

function remediesFor(chooser: ProgramChooser, code: string): { message: string; detail: string; remedies: Remedy[] } {
  const usual = [checkMachine(), openTroubleshooting()];
  if (code === 'gdbMissing' || code === 'gdbTooOld' || code === 'gdbNoPython') {
    const command = installCommand('gdb');
    return {
      message: l10n.t('Chronofork needs gdb 12 or later, with Python.'),
      detail: [command, l10n.t('If there is one elsewhere, name it in the setting “chronofork.gdbPath”.')]
        .filter(Boolean)
        .join('\n'),
      remedies: [...commandRemedies(command), checkMachine()],
    };
  }
  if (code.startsWith('program')) {
    const choose: Remedy = {
      label: l10n.t('Choose a Program…'),
      run: async () => {
        const program = await chooser.choose(vscode.workspace.workspaceFolders?.[0]);
        if (program !== undefined)
          await vscode.debug.startDebugging(vscode.workspace.workspaceFolders?.[0], {
            type: 'chronofork',
            request: 'launch',
            name: program.split('/').pop() ?? program,
            program,
          });
      },
    };
    return {
      message: l10n.t('The program cannot be debugged as it is.'),
      detail: l10n.t('Chronofork debugs 64-bit x86 programs for Linux that you may execute, built with -g.'),
      remedies: [choose, openLaunchJson()],
    };
  }
  if (code === 'ptraceForbidden' || code.startsWith('attach')) {
    const command = 'sudo sysctl kernel.yama.ptrace_scope=0';
    return {
      message: l10n.t('This machine does not let one process look into another.'),
      detail: l10n.t(
        'For attaching, kernel.yama.ptrace_scope must be 0, and the process must be yours. In a container, ptrace must be allowed: --cap-add=SYS_PTRACE.',
      ),
      remedies: [...commandRemedies(command), openTroubleshooting()],
    };
  }
  return {
    message: l10n.t('The session could not begin.'),
    detail: l10n.t(
      'What this machine allows can be found out by trying; the usual causes are on the page Troubleshooting.',
    ),
    remedies: usual,
  };
}

/** The remedies that a sentence of the doctor's names. */
export function remediesIn(sentence: string): Remedy[] {
  return commandRemedies(commandIn(sentence));
}
