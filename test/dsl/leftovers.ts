/**
 * What a session may have left behind: processes, found by a variable of the
 * environment that all of them inherit, and files in its temporary directory.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { root } from '../../scripts/lib/run.mjs';

/** The kernel kills what a dead tracer traced, and gdb reads its end of file, soon but not at once. */
const within_ms = 8000;

export interface Session {
  readonly mark: string;
  readonly temporary: string;
}

export interface LeftProcess {
  pid: number;
  executable: string;
  /** Arguments, separated by \0. */
  commandLine: string;
}

function processWith(mark: string, pid: string): LeftProcess[] {
  try {
    const settings = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
    if (!settings.includes(mark)) return [];
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return [{ pid: Number(pid), executable: readlinkSync(`/proc/${pid}/exe`), commandLine }];
  } catch {
    return []; // it has gone, or is another user's
  }
}

/** The processes of a session that live now: the adapter, gdb, the debuggee and its copies and children. */
export function processesOf({ mark }: Pick<Session, 'mark'>): LeftProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => processWith(mark, pid));
}

/**
 * What is left in its temporary directory (not what node and its loaders keep
 * there), and core files where the adapter and gdb ran.
 */
export function filesOf({ temporary }: Pick<Session, 'temporary'>): string[] {
  const cores = readdirSync(root).filter((name) => /^core(\.\d+)?$/.test(name));
  if (!existsSync(temporary)) return cores;
  return [...cores, ...readdirSync(temporary).filter((name) => !/^(tsx-|node-)/.test(name))];
}

/** Resolves when nothing of the session is left. @throws Error that names what is */
export async function nothingLeft(session: Session): Promise<void> {
  const until = Date.now() + within_ms;
  let processes = processesOf(session);
  while (processes.length > 0 && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    processes = processesOf(session);
  }
  const left = [...processes.map(({ pid, executable }) => `process ${pid} (${executable})`), ...filesOf(session)];
  if (left.length > 0) throw new Error(`The session has left behind: ${left.join(', ')}`);
}

/** Waits until `condition` holds. @throws Error 'waited in vain until WHAT' */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  const until = Date.now() + within_ms;
  while (!condition()) {
    if (Date.now() > until) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
