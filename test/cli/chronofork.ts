/** Runs the command line as a user does, from the bundle, and gives back all that it said. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { root } from '../../scripts/lib/run.mjs';

export const bundle = path.join(root, 'dist/cli.cjs');

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Resolves when the command has ended; `input` becomes its standard input. */
export function chronofork(args: string[], input = '', env: NodeJS.ProcessEnv = process.env): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bundle, ...args], { stdio: ['pipe', 'pipe', 'pipe'], env });
    const outcome: Outcome = { status: null, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (outcome.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (outcome.stderr += text));
    // A command that does not read its input closes it, which is no error of ours.
    child.stdin.on('error', () => undefined);
    child.on('error', reject);
    child.on('close', (status) => resolve({ ...outcome, status }));
    child.stdin.end(input);
  });
}
