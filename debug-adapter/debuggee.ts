/**
 * Everything that lives from launch to the end of a session: gdb, the core,
 * the debuggee's console, breakpoints, and what is known of the present stop.
 *
 * Everything dies together: whichever ends first takes the others with it.
 */
import type { Client } from './client.js';
import { sendOutput } from './client.js';
import type { Core, EndState } from './core/core.js';
import { ChronoforkError, messageOf } from './errors.js';
import { Execution, type Stop, type StepOrigin } from './gdb/execution.js';
import type { MiConnection } from './gdb/miConnection.js';
import { text, type MiTuple } from './gdb/miParser.js';
import type { Console } from './launch/console.js';
import type { Family } from './launch/family.js';
import type { FamilyLink } from './launch/familyLink.js';
import type { SessionConfig } from './launch/options.js';
import { Log } from './log.js';
import type { Checkpoint, Crash } from './protocol/timeTravel.js';
import { BreakpointTable } from './requests/breakpointTable.js';
import { Exceptions, explainSignal, type Exception } from './requests/exceptions.js';
import { StackFrames } from './requests/stackFrames.js';
import { StopReporter } from './stopReporter.js';
import { History } from './timeline/history.js';
import type { OutputLinks } from './timeline/outputLinks.js';
import { Notes } from './timeline/notes.js';
import type { ProgramOutput } from './timeline/programOutput.js';
import { Queries } from './timeline/queries.js';
import { ReverseSteps } from './timeline/reverseSteps.js';
import { TimelineReporter } from './timeline/timelineReporter.js';
import { TimeTravel } from './timeline/timeTravel.js';

const log = new Log('session');

export interface Parts {
  client: Client;
  config: SessionConfig;
  /** The executable whose symbols are read. */
  program: string;
  gdb: MiConnection;
  core: Core;
  console: Pick<Console, 'drain' | 'close'>;
  /** What was read of its output; absent where that is not ours to read. */
  output?: ProgramOutput;
  /** Of lines of it, where the client can follow them. */
  links?: OutputLinks;
  /** Of a program that ran before; with the tie to its parent's session if it has one. */
  attached?: Attached;
  /** With followChildren: the sessions of its children. */
  family?: Family | undefined;
  /** Ends the session: gdb or the debuggee is gone. */
  onGone: () => void;
}

/**
 * How a program and its session part: the program is killed; one that stands
 * at its own end leaves with its exit status; one that was attached to runs on,
 * or waits for the session that follows.
 */
export type Ending = 'kill' | 'exit' | 'leave' | 'restart';

export interface Attached {
  readonly pid: number;
  /** Where it stood: a followed child at its beginning, or anywhere. */
  readonly began: 'fork' | 'exec' | 'earlier';
  readonly link: FamilyLink | undefined;
}

type CheckpointLocation = NonNullable<Checkpoint['location']>;

/** What the last stop was at, from chronofork_stack.stop(). */
export interface StopPlace {
  tid: number;
  pc: string;
  cfa: string | null;
  file: string;
  line: number;
  function?: string;
  path?: string;
}

export class Debuggee {
  readonly client: Client;
  readonly config: SessionConfig;
  readonly gdb: MiConnection;
  readonly core: Core;
  readonly console: Pick<Console, 'drain' | 'close'>;
  readonly execution: Execution;
  readonly breakpoints: BreakpointTable;
  readonly exceptions: Exceptions;
  readonly stackFrames = new StackFrames();
  readonly time: TimeTravel;
  readonly reverseSteps: ReverseSteps;
  readonly queries = new Queries();
  readonly history: History;
  readonly notes = new Notes();
  readonly timelineReporter: TimelineReporter;
  readonly stops: StopReporter;
  place: StopPlace | undefined;
  exception: Exception | undefined;
  /** The fatal signal that was met last, and where: the program is kept just before it. */
  crash: Crash | undefined;
  /** The last stop was the program's end: there is nothing to continue. */
  atEnd = false;
  /** Told when the stop that is shown is left. */
  onLeave: () => void = () => undefined;
  /** Told when something was changed by hand that the client is told nothing of. */
  onQuietChange: () => void = () => undefined;
  /** While a query goes from moment to moment: the present as everybody knows it. */
  heldPresent: ReturnType<Core['present']> | undefined;
  /** Where the moments are that were stopped at, by the moment's id. */
  readonly places = new Map<number, StopPlace>();
  /** Where code is: of checkpoints that nobody has stopped at, by the program counter. */
  private readonly codePlaces = new Map<string, CheckpointLocation>();
  /** gdb's number of the temporary breakpoint for stopOnEntry. */
  entryBreakpoint: number | undefined;
  private ended = false;

  constructor(private readonly parts: Parts) {
    this.client = parts.client;
    this.config = parts.config;
    this.gdb = parts.gdb;
    this.core = parts.core;
    this.console = parts.console;
    this.execution = new Execution(this.gdb);
    this.breakpoints = new BreakpointTable(this.gdb, (breakpoint) =>
      this.client.send('breakpoint', { reason: 'changed', breakpoint }),
    );
    this.exceptions = new Exceptions(this.gdb);
    this.time = new TimeTravel(this.core, this.execution);
    this.reverseSteps = new ReverseSteps(
      this.gdb,
      this.time,
      () => this.core.present().moment.id,
      async (address) => this.exceptions.catching || (await this.breakpoints.atAddress(address)).length > 0,
    );
    this.timelineReporter = new TimelineReporter(this.core, this.client, () => this.execution.running);
    this.history = new History(this.core, parts.output);
    this.stops = new StopReporter(this);
    this.listen();
  }

  /** gdb is connected: from here on a stop is news for the client. */
  async begin(): Promise<void> {
    this.execution.onUnexpectedStop = (stop: Stop) => this.background(() => this.stops.report(stop, false));
    await this.exceptions.begin(!this.config.noDebug);
    this.place = (await this.gdb.call<StopPlace | null>('stop')) ?? undefined;
  }

  /** What becomes of the program when nobody says anything about it. */
  get usualEnding(): Ending {
    return this.parts.attached ? 'leave' : 'kill';
  }

  get links(): OutputLinks | undefined {
    return this.parts.links;
  }

  get program(): string {
    return this.parts.program;
  }

  get attached(): Attached | undefined {
    return this.parts.attached;
  }

  get over(): boolean {
    return this.ended;
  }

  /** @throws ChronoforkError 'running' when the program runs or a way through time is under way */
  requireStopped(): void {
    if (this.time.operation)
      throw new ChronoforkError('running', 'The program is being taken back in time.', 'Wait for it, or cancel it.');
    this.execution.requireStopped();
  }

  /** Does `action` while nothing runs, between the user's steps but never in the middle of one through time. */
  async whileStopped<T>(action: () => Promise<T>): Promise<T> {
    // A search that gdb itself conducts is interrupted and begun again; jumps are waited for.
    if (!this.execution.interruptible) await this.time.idle();
    return this.execution.whileStopped(action);
  }

  /** gdb's thread and stack frame for a DAP frameId; the innermost one without. */
  frameArguments(frameId: number | undefined): { tid?: number; level?: number } {
    if (frameId !== undefined) return this.stackFrames.find(frameId);
    return this.place ? { tid: this.place.tid, level: 0 } : {};
  }

  /**
   * The core's checkpoints, with where they are as far as known: all of them
   * while gdb can be asked, that is while nothing runs.
   */
  async checkpoints(): Promise<Checkpoint[]> {
    const { checkpoints } = this.core.timeline();
    const unknown = checkpoints.map(({ moment }) => moment.pc).filter((pc) => !this.codePlaces.has(pc));
    if (unknown.length > 0 && !this.execution.running && !this.ended) {
      const addresses = [...new Set(unknown)];
      const found = await this.gdb.call<CheckpointLocation[]>('places', { addresses }).catch(() => []);
      found.forEach((location, index) => this.codePlaces.set(addresses[index] as string, location));
    }
    return this.notes.ofCheckpoints(checkpoints).map((checkpoint) => {
      const place = this.places.get(checkpoint.moment.id);
      const { function: name, path, line } = place ?? {};
      const known = this.codePlaces.get(checkpoint.moment.pc);
      const location = known ?? { function: name, path, line };
      return checkpoint.location || Object.values(location).every((part) => !part)
        ? checkpoint
        : { ...checkpoint, location };
    });
  }

  /** Resumes in the background; the stop is reported when it comes. */
  resume(command: string, options: { origin?: StepOrigin | undefined; alone?: number | undefined } = {}): void {
    this.leave();
    this.timelineReporter.soon();
    this.background(async () => {
      const stop = await this.whileAlone(options.alone, () => this.execution.run(command, options.origin));
      await this.stops.report(stop, false);
    });
  }

  /**
   * Makes a thread, or else the one that stopped last, the one that gdb resumes, with its
   * innermost stack frame: who looks at another selects that in gdb.
   */
  async chooseThread(tid = this.place?.tid): Promise<void> {
    if (tid !== undefined) await this.gdb.call('choose_frame', { tid, level: 0 });
  }

  /** What `run` resumes is this thread alone, the others being held. undefined: all of them. */
  async whileAlone(tid: number | undefined, run: () => Promise<Stop>): Promise<Stop> {
    if (tid === undefined) return run();
    await this.chooseThread(tid);
    const former = text(await this.gdb.command('-gdb-show scheduler-locking'), 'value');
    await this.gdb.command('-gdb-set scheduler-locking on');
    try {
      return await run();
    } finally {
      await this.gdb.command(`-gdb-set scheduler-locking ${former || 'replay'}`).catch(() => undefined);
    }
  }

  /** The present may now count as edited, and what is shown elsewhere may be stale. */
  changedByHand(): void {
    this.timelineReporter.now();
    if (this.client.capabilities.supportsInvalidatedEvent) this.client.send('invalidated', { areas: ['variables'] });
    else this.onQuietChange();
  }

  /** Forgets what belonged to the stop that is being left. */
  leave(): void {
    this.onLeave();
    this.exception = undefined;
    this.atEnd = false;
    this.stackFrames.clear();
  }

  /** Where a step begins, so that a silent interruption does not lose it. */
  stepOrigin(): StepOrigin | undefined {
    if (!this.place) return undefined;
    const { tid, cfa, file, line } = this.place;
    return { tid, cfa, file, line };
  }

  /** Something that nobody waits for: its failure is told, and the client learns where the debuggee is. */
  background(action: () => Promise<void>): void {
    action().catch(async (error: unknown) => {
      if (this.ended) return;
      log.write('error', error instanceof Error ? (error.stack ?? error.message) : String(error));
      sendOutput(this.client, 'important', `${messageOf(error)}\n`);
      if (!this.execution.running)
        await this.stops
          .reportPlain('pause', 'Could not go on')
          .catch((again: unknown) => log.write('error', String(again)));
    });
  }

  /** The process ended without being kept (gdb says so). */
  async programGone(exitCode: string): Promise<void> {
    await this.console.drain();
    // gdb writes exit codes in octal.
    if (exitCode !== '') this.client.send('exited', { exitCode: parseInt(exitCode, 8) });
    this.parts.onGone();
  }

  /** The end of a program that nobody debugs: it is let go, and the session with it. */
  async finish(end: EndState): Promise<void> {
    await this.console.drain();
    if (end.kind === 'signalled') sendOutput(this.client, 'important', `${explainSignal(end.signalName)}\n`);
    this.parts.onGone();
  }

  /** Ends gdb, the core with the debuggee, and the console. Harmless when done before. */
  async dispose(ending: Ending): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    this.timelineReporter.stop();
    const gone = new ChronoforkError('notLaunched', 'The debug session has ended.');
    this.execution.abandon(gone);
    // The children's sessions outlive only a program that left by itself.
    this.parts.family?.close({ alone: ending !== 'kill' });
    if (this.parts.attached) await this.partFrom(this.parts.attached, ending);
    // The core first: a debuggee that is let go writes its last output.
    await this.core
      .dispose({ letExit: ending === 'exit' })
      .catch((error: unknown) => log.write('error', messageOf(error)));
    this.parts.attached?.link?.close();
    await this.gdb.quit();
    await this.console.close();
  }

  private async partFrom({ pid, link }: Attached, ending: Ending): Promise<void> {
    // One that stands at its end makes it when the core lets go of it.
    const ended = this.core.endState().kind !== 'running';
    try {
      if (ending === 'exit' || (ending !== 'kill' && ended)) return;
      if (ending !== 'kill') {
        if (ending === 'restart') await link?.keep(pid);
        const { parked } = await this.core.detach();
        if (!parked || !link || ending === 'restart' || (await link.hasTakenBack(pid))) return;
        sendOutput(
          this.client,
          'important',
          `Process ${pid} was ended: the session of the program that started it is gone, and it cannot run without.\n`,
        );
      }
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      // The core ends what it cannot let go.
      log.write('error', messageOf(error));
      if (ending !== 'kill') sendOutput(this.client, 'important', `Process ${pid} was ended. ${messageOf(error)}\n`);
    }
  }

  private listen(): void {
    this.gdb.listener = {
      onExec: (className, fields) => this.execution.onExec(className, fields),
      onNotify: (className, fields) => this.onNotify(className, fields),
      onConsole: (text) => log.write('debug', `gdb: ${text.trimEnd()}`),
      onLogpoint: (message) => {
        const source = message.path ? { source: { path: message.path }, line: message.line } : {};
        this.client.send('output', { category: 'console', output: `${message.text}\n`, ...source });
      },
      onExit: (asked, description) => this.onGdbExit(asked, description),
    };
  }

  private onNotify(className: string, fields: MiTuple): void {
    if (className === 'breakpoint-modified') this.breakpoints.modified(fields);
    if (className !== 'library-loaded' && className !== 'library-unloaded') return;
    this.reverseSteps.forgetCode();
    this.codePlaces.clear();
  }

  private onGdbExit(asked: boolean, description: string): void {
    if (asked || this.ended) return;
    const error = new ChronoforkError('gdbCrashed', description);
    this.execution.abandon(error);
    sendOutput(this.client, 'important', `${description} Start the debug session again.\n`);
    this.parts.onGone();
  }
}
