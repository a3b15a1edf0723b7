/**
 * Takes over a program that runs already, or a child of one that another
 * session debugs:
 *
 *   == 1. gdb, so that an unfit one is refused first
 *   == 2. a followed child is asked for from its parent's session
 *   == 3. the core attaches
 *   == 4. gdb connects to the core
 *
 * If a step after the third fails, the program is let go again.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Core } from '../core/core.js';
import { Debuggee } from '../debuggee.js';
import { ChronoforkError } from '../errors.js';
import type { Context } from '../handlers.js';
import type { AttachConfig } from './attachArguments.js';
import { connectGdb, tellIfNoSymbols, tellNotices } from './connect.js';
import { noConsole } from './console.js';
import { Family } from './family.js';
import { FamilyLink } from './familyLink.js';
import { checkProgram } from './programCheck.js';

/** @throws ChronoforkError whatever the user can do something about */
export async function attachDebuggee(context: Context, config: AttachConfig): Promise<Debuggee> {
  const { pid } = config;
  if (config.program !== undefined && !config.family) checkProgram(config.program);
  checkProcess(pid);
  const module = context.core();
  // == 1.
  const gdb = await context.gdb(config.gdbPath);
  let core: Core | undefined;
  let family: Family | undefined;
  let link: FamilyLink | undefined;
  try {
    // == 2.
    if (config.family) link = await FamilyLink.join(config.family);
    await link?.want(pid);
    // == 3.
    core = module.createCore();
    tellNotices(core, context.client);
    const followChildren = config.followChildren && Family.isPossible(context.client);
    if (followChildren) family = await Family.open(context.client, core, config);
    const { gdbSocket } = await core.attach(pid, {
      checkpointIntervalMs: config.checkpointIntervalMs,
      checkpointMemoryBytes: config.checkpointMemoryMb * 1024 * 1024,
      followChildren,
      ...(link ? { guard: link.guard } : {}),
    });
    // == 4.
    const program = config.program ?? programOf(pid);
    const debuggee = new Debuggee({
      client: context.client,
      config,
      program,
      gdb,
      core,
      console: noConsole,
      attached: { pid, link, began: config.family?.began ?? 'earlier' },
      family,
      onGone: () => void context.shutDown('exit'),
    });
    if (link) link.onParentGone = () => void context.shutDown('kill');
    await connectGdb(gdb, config, program, gdbSocket);
    // A shell's children are mostly programs of others.
    if (!config.family) await tellIfNoSymbols(gdb, program, context.client);
    await debuggee.begin();
    return debuggee;
  } catch (error) {
    family?.close({ alone: false });
    if (core) await letGoAgain(core, pid, link);
    link?.close();
    await gdb.quit();
    throw error;
  }
}

async function letGoAgain(core: Core, pid: number, link: FamilyLink | undefined): Promise<void> {
  const { parked } = await core.detach().catch(() => ({ parked: false }));
  if (parked) await link?.hasTakenBack(pid);
  await core.dispose({ letExit: false }).catch(() => undefined);
}

/** @throws ChronoforkError 'processMissing' */
function checkProcess(pid: number): void {
  if (statusOf(pid) === '')
    throw new ChronoforkError(
      'processMissing',
      `There is no process ${pid}.`,
      'Correct "pid", or choose a process with "${command:pickProcess}".',
    );
  if (pid === process.pid)
    throw new ChronoforkError('processMissing', `Process ${pid} is the debugger itself.`, 'Choose another one.');
  if (livingThread(pid) === undefined)
    throw new ChronoforkError(
      'processMissing',
      `Process ${pid} is a thread of the kernel, or has ended.`,
      'Choose another process.',
    );
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    return '';
  }
}

/** By which /proc shows a process: its first thread, or another if that has ended. */
function livingThread(pid: number): number | undefined {
  const hasMemory = (tid: number) => /^VmSize:/m.test(statusOf(tid));
  if (hasMemory(pid)) return pid;
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number).find(hasMemory);
  } catch {
    return undefined;
  }
}

/** The executable of a process, also when its file has been replaced since. */
function programOf(pid: number): string {
  const link = `/proc/${livingThread(pid) ?? pid}/exe`;
  const program = readlinkSync(link);
  return program.endsWith(' (deleted)') ? link : program;
}
