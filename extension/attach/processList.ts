/**
 * The processes of this machine, as a person chooses one to attach to: own ones
 * first, the newest first, and for each that cannot be attached to the reason.
 * Reads /proc; no vscode.
 *
 * A reason is what can be seen from here; whether attaching succeeds is the
 * kernel's to say, and the adapter tells it.
 *
 * Easy to get wrong: a process may end between two files being read, and its
 * name may contain blanks and brackets.
 */
import * as l10n from '@vscode/l10n';
import { readdir, readFile, readlink, open } from 'node:fs/promises';
import path from 'node:path';

export interface ListedProcess {
  readonly pid: number;
  /** The program's file name, or what the kernel calls the process. */
  readonly name: string;
  /** Its arguments, the program first, as they would be typed. */
  readonly commandLine: string;
  readonly user: string;
  readonly own: boolean;
  /** For sorting: when it was started, in ticks since the machine was. */
  readonly started: number;
  /** Why it cannot be attached to; undefined: nothing speaks against it. */
  readonly reason?: string;
  /** Why attaching will probably be refused; a program may have allowed it, which cannot be seen. */
  readonly doubt?: string;
}

/** Who asks: what the kernel lets this user trace. */
export interface Asker {
  readonly uid: number;
  /** Processes that must not be stopped: this one and those it runs in. */
  readonly self: number;
}

/** /proc/sys/kernel/yama/ptrace_scope, and what it means for who is not root. */
const scopeDoubt = (): string =>
  l10n.t(
    'the kernel allows attaching only to a debugger’s own children (kernel.yama.ptrace_scope is 1; try: sudo sysctl kernel.yama.ptrace_scope=0)',
  );
function scopeReason(scope: string): string | undefined {
  if (scope === '2') return l10n.t('the kernel allows attaching to root only (kernel.yama.ptrace_scope is 2)');
  if (scope === '3') return l10n.t('the kernel allows no attaching at all (kernel.yama.ptrace_scope is 3)');
  return undefined;
}

/** Every process but the kernel's own threads and those that have ended, sorted. */
export async function listProcesses(asker: Asker, proc = '/proc', passwd = '/etc/passwd'): Promise<ListedProcess[]> {
  const users = userNames(await readFile(passwd, 'utf8').catch(() => ''));
  const scope = (await text(proc, 'sys/kernel/yama/ptrace_scope')).trim();
  const pids = (await readdir(proc)).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map((pid) => readProcess(proc, pid, asker, users, scope)));
  const processes = found.filter((one) => one !== undefined);
  const ancestors = ancestorsOf(asker.self, new Map(processes.map(({ pid, parent }) => [pid, parent])));
  return processes
    .map(({ parent: _, ...one }) => (ancestors.has(one.pid) ? { ...one, reason: l10n.t('it runs this VS Code') } : one))
    .sort(byUsefulness);
}

/** Those that can be attached to first, own ones before others', the newest before older ones. */
function byUsefulness(a: ListedProcess, b: ListedProcess): number {
  const rank = (one: ListedProcess) => (one.reason === undefined ? 0 : 2) + (one.own ? 0 : 1);
  return rank(a) - rank(b) || b.started - a.started || b.pid - a.pid;
}

type Found = ListedProcess & { parent: number };

async function readProcess(
  proc: string,
  pid: number,
  asker: Asker,
  users: ReadonlyMap<number, string>,
  scope: string,
): Promise<Found | undefined> {
  const shown = await livingThread(proc, pid);
  if (shown === undefined) return undefined;
  const [status, stat, cmdline] = await Promise.all([
    text(proc, `${shown}/status`),
    text(proc, `${pid}/stat`),
    text(proc, `${shown}/cmdline`),
  ]);
  const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1];
  const uid = Number(field('Uid'));
  const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const executable = await readlink(path.join(proc, shown, 'exe')).catch(() => undefined);
  const kernelName = /^Name:\t(.*)$/m.exec(status)?.[1] ?? String(pid);
  const program = executable?.replace(/ \(deleted\)$/, '');
  const own = uid === asker.uid;
  const reason = await whyNot(proc, shown, { uid, own, tracer: Number(field('TracerPid') ?? 0) }, asker, users, scope);
  return {
    pid,
    parent: Number(field('PPid')),
    name: program ? path.basename(program) : kernelName,
    commandLine: typed(cmdline) || kernelName,
    user: users.get(uid) ?? String(uid),
    own,
    started: Number(afterName[19]),
    ...(reason === undefined ? {} : { reason }),
    ...(reason === undefined && scope === '1' && asker.uid !== 0 ? { doubt: scopeDoubt() } : {}),
  };
}

/**
 * The folder in /proc that shows a process: its own, or that of another thread
 * if its first has ended. A thread of the kernel, and what is left of a process,
 * has no memory.
 */
async function livingThread(proc: string, pid: number): Promise<string | undefined> {
  const isAlive = async (folder: string) => {
    const status = await text(proc, `${folder}/status`);
    return /^VmSize:/m.test(status) && !/^State:\s+[ZX]/m.test(status);
  };
  if (await isAlive(String(pid))) return String(pid);
  for (const tid of await readdir(path.join(proc, String(pid), 'task')).catch(() => []))
    if (await isAlive(`${pid}/task/${tid}`)) return `${pid}/task/${tid}`;
  return undefined;
}

async function whyNot(
  proc: string,
  shown: string,
  { uid, own, tracer }: { uid: number; own: boolean; tracer: number },
  asker: Asker,
  users: ReadonlyMap<number, string>,
  scope: string,
): Promise<string | undefined> {
  if (tracer !== 0) {
    // The kernel names the thread that traces.
    const debugger_ = /^Tgid:\s+(\d+)/m.exec(await text(proc, `${tracer}/status`))?.[1] ?? tracer;
    const name = (await text(proc, `${debugger_}/comm`)).trim();
    return l10n.t('it is being debugged by process {0}', `${debugger_}${name ? ` (${name})` : ''}`);
  }
  if (asker.uid !== 0 && !own) return l10n.t('it belongs to {0}', users.get(uid) ?? l10n.t('user {0}', uid));
  if (await is32Bit(path.join(proc, shown, 'exe'))) return l10n.t('it is a 32-bit program');
  return scope === '3' || asker.uid !== 0 ? scopeReason(scope) : undefined;
}

/** By the ELF header; what cannot be read is not known to be one. */
async function is32Bit(executable: string): Promise<boolean> {
  const file = await open(executable).catch(() => undefined);
  if (!file) return false;
  try {
    const head = Buffer.alloc(5);
    const { bytesRead } = await file.read(head, 0, 5, 0);
    return bytesRead === 5 && head.toString('latin1', 1, 4) === 'ELF' && head[4] === 1;
  } catch {
    return false;
  } finally {
    await file.close();
  }
}

function ancestorsOf(pid: number, parents: ReadonlyMap<number, number>): Set<number> {
  const found = new Set<number>();
  for (let at: number | undefined = pid; at && !found.has(at); at = parents.get(at)) found.add(at);
  return found;
}

/** Arguments that hold anything but plain characters are quoted. */
function typed(cmdline: string): string {
  const args = cmdline.replace(/\0+$/, '').split('\0');
  return args.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) || args.length === 1 ? arg : JSON.stringify(arg))).join(' ');
}

function userNames(passwd: string): Map<number, string> {
  const entries = passwd.split('\n').map((line) => line.split(':'));
  return new Map(entries.filter((entry) => entry.length > 2).map(([name = '', , uid]) => [Number(uid), name]));
}

async function text(proc: string, name: string): Promise<string> {
  return readFile(path.join(proc, name), 'utf8').catch(() => '');
}
