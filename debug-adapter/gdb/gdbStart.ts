/**
 * Starts a gdb that can do what we need: at least version 12 (for MI commands
 * in Python) and built with Python. Anything else is refused with the name of
 * the package to install, before the debuggee is started.
 */
import { ChronoforkError } from '../errors.js';
import { findResource } from '../resources.js';
import { MiConnection } from './miConnection.js';
import { quoteMi } from './miParser.js';

export const oldestGdb = 12;

/** gdb answers within 0.1 s; a machine under load may take seconds, another program never does. */
const answerWithin_ms = 20_000;

const installRemedy =
  'Install a newer one (Debian and Ubuntu: sudo apt-get install gdb; Fedora: sudo dnf install gdb) or set "gdbPath" to it.';

/** What is started without being told otherwise: found on PATH. */
export const usualGdb = 'gdb';

export interface GdbFacts {
  version: string;
  major: number;
  python: boolean;
}

/** "GNU gdb (Debian 13.1-3) 13.1" → 13.1; also for "GNU gdb (GDB) 15.0.50.2024…". */
export function gdbVersionIn(text: string): string | undefined {
  return /GNU gdb (?:\([^)]*\) )?[^\d\n]*(\d+\.\d+(?:\.\d+)*)/.exec(text)?.[1];
}

/** What a running gdb says about itself. */
export async function askGdb(gdb: MiConnection): Promise<GdbFacts> {
  const banner = await gdb.console('show version');
  const version = gdbVersionIn(banner);
  if (!version)
    throw new ChronoforkError('gdbTooOld', 'The program named as gdb does not answer like gdb.', 'Check "gdbPath".');
  const features = await gdb.command('-list-features');
  const listed = Array.isArray(features.features) ? features.features : [];
  return { version, major: Number(version.split('.')[0]), python: listed.includes('python') };
}

function refuseUnfit(facts: GdbFacts): void {
  if (facts.major < oldestGdb)
    throw new ChronoforkError(
      'gdbTooOld',
      `gdb ${facts.version} is too old: Chronofork needs gdb ${oldestGdb} or later.`,
      installRemedy,
    );
  if (!facts.python)
    throw new ChronoforkError(
      'gdbNoPython',
      `gdb ${facts.version} was built without Python, which Chronofork needs to read variables.`,
      'Install the full package (Debian and Ubuntu: sudo apt-get install gdb, not gdb-minimal) or set "gdbPath" to one with Python.',
    );
}

/**
 * A gdb that has our Python part loaded and is set up for our use.
 *
 * @throws ChronoforkError 'gdbMissing', 'gdbTooOld', 'gdbNoPython', 'gdbCrashed'
 */
export async function startGdb(path: string): Promise<{ gdb: MiConnection; facts: GdbFacts }> {
  const gdb = await MiConnection.start(path);
  try {
    const facts = await withTimeLimit(askGdb(gdb), path);
    refuseUnfit(facts);
    const script = findResource('debug-adapter/gdb/chronofork_gdb.py', 'gdb/chronofork_gdb.py');
    if (!script)
      throw new ChronoforkError(
        'gdbRefused',
        'The part of Chronofork that runs in gdb is missing.',
        'Install Chronofork again.',
      );
    await Promise.all(settings.map((setting) => gdb.command(`-gdb-set ${setting}`).catch(tolerate(setting))));
    await gdb.command(`-interpreter-exec console ${quoteMi(`source ${script}`)}`);
    return { gdb, facts };
  } catch (error) {
    await gdb.quit();
    throw error;
  }
}

/**
 * A gdb that is started before it is known that, and for what, it is wanted:
 * starting one takes as long as everything else of a launch. What goes wrong
 * meanwhile is told to who takes it.
 */
export class GdbAhead {
  private started: { path: string; ready: ReturnType<typeof startGdb> } | undefined;

  start(path: string): void {
    void this.drop();
    this.started = { path, ready: startGdb(path) };
    this.started.ready.catch(() => undefined);
  }

  /**
   * The one that was started, or another if that is for another path.
   *
   * @throws ChronoforkError as startGdb
   */
  async take(path: string): Promise<MiConnection> {
    const { started } = this;
    if (started?.path !== path) void this.drop();
    this.started = undefined;
    return (await (started?.path === path ? started.ready : startGdb(path))).gdb;
  }

  /** Ends the one that nobody has taken. */
  drop(): Promise<void> {
    const { started } = this;
    this.started = undefined;
    return (
      started?.ready.then(
        ({ gdb }) => gdb.quit(),
        () => undefined,
      ) ?? Promise.resolve()
    );
  }
}

const settings = [
  'confirm off',
  'pagination off',
  'width 0',
  'height 0',
  'mi-async on',
  // Nothing is lost on a socket: an answer that takes long (a busy machine, a large program) is still the answer.
  'remotetimeout 3600',
  'non-stop off',
  'sysroot /',
  // Each stop would otherwise take and put back every breakpoint: 8 packets for a step instead of 6.
  'breakpoint always-inserted on',
  'breakpoint pending on',
  'can-use-hw-watchpoints 1',
  'stop-on-solib-events 0',
  'print object on',
  'print sevenbit-strings off',
  'print static-members off',
  'host-charset UTF-8',
  'target-charset UTF-8',
  'debuginfod enabled off',
  'style enabled off',
  // A crash inside a function called from a watch must not leave that frame behind.
  'unwindonsignal on',
  // Stepping into a function without line information would stop nowhere.
  'step-mode off',
];

/** A gdb that does not know these does not need them. */
const optionalSettings = new Set(['debuginfod enabled off', 'style enabled off']);

function tolerate(setting: string): (error: unknown) => undefined {
  return (error) => {
    if (!optionalSettings.has(setting)) throw error;
    return undefined;
  };
}

function withTimeLimit<T>(promise: Promise<T>, path: string): Promise<T> {
  let timer: NodeJS.Timeout;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ChronoforkError('gdbTooOld', `"${path}" does not answer like gdb.`, 'Check "gdbPath".')),
      answerWithin_ms,
    );
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}
