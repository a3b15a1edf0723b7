/**
 * An adapter that runs as an ordinary user although the tests run as root:
 * some limits of the kernel do not hold for root. The user is one that nobody
 * else is, so that no other process counts against its limits.
 */
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../../scripts/lib/run.mjs';

export const isRoot = process.getuid?.() === 0;

let copied: string | undefined;

/** The command line, copied to where everybody may read it. */
function readableAdapter(): string[] {
  copied ??= copyAdapter();
  return [process.execPath, path.join(copied, 'dist/cli.cjs'), 'dap'];
}

function copyAdapter(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'cf-readable-'));
  chmodSync(folder, 0o755);
  for (const name of ['dist/cli.cjs', 'build/chronofork.node', 'debug-adapter/gdb', 'package.json']) {
    const target = path.join(folder, name);
    mkdirSync(path.dirname(target), { recursive: true });
    cpSync(path.join(root, name), target, { recursive: true });
  }
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A copy of a file that everybody may read and run. */
export function readableCopy(file: string): string {
  const copy = path.join(path.dirname(path.dirname(readableAdapter()[1]!)), path.basename(file));
  cpSync(file, copy);
  chmodSync(copy, 0o755);
  return copy;
}

// Test files run side by side, in processes whose numbers are neighbours.
const kUsersOfAFile = 16;
let nextUser = 61000 + (process.pid % 250) * kUsersOfAFile;

/**
 * Processes of the user that asOrdinaryUser() has named last, which do nothing.
 *
 * @returns ends them
 */
export function otherProcesses(count: number): () => void {
  const user = String(nextUser - 1);
  const others = Array.from({ length: count }, () =>
    isRoot
      ? spawn('setpriv', [`--reuid=${user}`, `--regid=${user}`, '--clear-groups', 'sleep', '60'])
      : spawn('sleep', ['60']),
  );
  return () => others.forEach((other) => other.kill());
}

/**
 * The adapter's command line, run by an ordinary user with resource limits.
 *
 * @param limits  options of prlimit, such as `--nproc=40`
 */
export function asOrdinaryUser(...limits: string[]): string[] {
  const adapter = readableAdapter();
  const limited = limits.length > 0 ? ['prlimit', ...limits, ...adapter] : adapter;
  if (!isRoot) return limited;
  const user = String(nextUser++);
  return ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', ...limited];
}
