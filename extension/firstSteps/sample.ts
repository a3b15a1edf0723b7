/**
 * "Debug the Sample Program": a small bank with a real bug is put into a folder
 * of the extension's own, built, opened and started. Nothing is asked.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import { installCommand } from './installCommand.js';
import { commandRemedies, offer } from './remedies.js';

const run = promisify(execFile);
const compilers = ['gcc', 'cc', 'clang'];

export async function debugSample(context: vscode.ExtensionContext): Promise<void> {
  const folder = path.join(context.globalStorageUri.fsPath, 'sample');
  await mkdir(folder, { recursive: true });
  const source = path.join(folder, 'bank.c');
  await copyFile(context.asAbsolutePath('examples/bank.c'), source);
  await vscode.window.showTextDocument(vscode.Uri.file(source), { preview: false });
  const program = path.join(folder, 'bank');
  const problem = await build(source, program);
  if (problem !== undefined) {
    const command = installCommand('gcc');
    await offer(
      l10n.t('The sample program could not be built.'),
      [problem, command].filter(Boolean).join('\n\n'),
      commandRemedies(command),
    );
    return;
  }
  await vscode.debug.startDebugging(undefined, {
    type: 'chronofork',
    request: 'launch',
    name: l10n.t('Sample: a bank with a bug'),
    program,
    cwd: folder,
  });
}

/** @returns why it could not be built */
async function build(source: string, program: string): Promise<string | undefined> {
  for (const compiler of compilers) {
    try {
      await run(compiler, ['-g', '-O0', '-o', program, source]);
      return undefined;
    } catch (error) {
      const { code, stderr, message } = error as { code?: unknown; stderr?: string; message: string };
      if (code !== 'ENOENT') return stderr?.trim() || message;
    }
  }
  return l10n.t('There is no C compiler on this machine.');
}
