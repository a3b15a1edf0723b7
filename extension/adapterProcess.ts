/**
 * Starts the debug adapter in a process of its own: never in the extension
 * host, which it would block and could bring down.
 *
 * Easy to get wrong: in a desktop VS Code `process.execPath` is Electron, which
 * is a Node only with ELECTRON_RUN_AS_NODE; the adapter takes that variable out
 * of the debuggee's environment again.
 */
import * as vscode from 'vscode';
import { debugType } from './launchConfig.js';

export function registerAdapterProcess(context: vscode.ExtensionContext): vscode.Disposable {
  // For those who work on Chronofork: another build of the adapter, or the scripted one of the tests.
  const bundle = process.env.CHRONOFORK_ADAPTER ?? context.asAbsolutePath('dist/cli.cjs');
  const executable = new vscode.DebugAdapterExecutable(process.execPath, [bundle, 'dap'], {
    env: { ELECTRON_RUN_AS_NODE: '1' },
  });
  return vscode.debug.registerDebugAdapterDescriptorFactory(debugType, {
    createDebugAdapterDescriptor: () => executable,
  });
}
