/** What the suites inside the extension host share. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as vscode from 'vscode';

export function extension(): vscode.Extension<unknown> {
  const found = vscode.extensions.getExtension('chronofork.chronofork');
  if (!found) throw new Error('The extension is not installed.');
  return found;
}

export function workspaceFile(name: string): string {
  const folder = process.env.CHRONOFORK_TEST_WORKSPACE;
  if (!folder) throw new Error('CHRONOFORK_TEST_WORKSPACE is not set');
  return path.join(folder, name);
}

/** The line of a mark, counted from 1. */
export function lineOf(program: string, mark: string): number {
  const lines = readFileSync(workspaceFile(`${program}.c`), 'utf8').split('\n');
  const index = lines.findIndex((line) => line.endsWith(`//@ ${mark}`));
  if (index < 0) throw new Error(`${program}.c has no mark ${mark}`);
  return index + 1;
}

/** A launch configuration for a program of the workspace. */
export function launchOf(program: string, more: Record<string, unknown> = {}): vscode.DebugConfiguration {
  return { type: 'chronofork', request: 'launch', name: program, program: workspaceFile(program), ...more };
}

/** Waits until `done` gives something other than undefined. */
export async function eventually<T>(what: string, done: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + 15_000; Date.now() < deadline;) {
    const value = await done();
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`It did not happen: ${what}`);
}
