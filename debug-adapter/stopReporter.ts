/**
 * Turns a stop, as gdb and the core tell it, into the client's `stopped` event.
 *
 * gdb says why in most cases. It says nothing after an armed jump, and nothing
 * at the ends of history on gdb 13: there the core knows.
 *
 * Easy to get wrong: the program's output up to the stop must be on its way
 * before the event, or the reader sees it one step late.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { sendOutput } from './client.js';
import type { EndState, OperationResult } from './core/core.js';
import type { Debuggee, StopPlace } from './debuggee.js';
import type { Stop } from './gdb/execution.js';
import { text, tuple, type MiTuple } from './gdb/miParser.js';
import type { Crash } from './protocol/timeTravel.js';
import { explainSignal, fatalSignals, type Exception } from './requests/exceptions.js';

type StoppedBody = Omit<DebugProtocol.StoppedEvent['body'], 'threadId' | 'allThreadsStopped'>;

const stepReasons = new Set(['end-stepping-range', 'function-finished', 'location-reached']);
const watchTuples = ['wpt', 'hw-rwpt', 'hw-awpt'];
const goneReasons = new Set(['exited', 'exited-normally', 'exited-signalled']);

export class StopReporter {
  private endTold = '';

  constructor(private readonly debuggee: Debuggee) {}

  /** A stop that ended a run of gdb's. */
  async report(stop: Stop, backwards: boolean): Promise<void> {
    if (this.debuggee.over) return;
    if (goneReasons.has(stop.reason)) {
      await this.debuggee.programGone(text(stop.fields, 'exit-code'));
      return;
    }
    const end = this.debuggee.core.endState();
    if (this.debuggee.config.noDebug && end.kind !== 'running') return this.debuggee.finish(end);
    await this.arrive();
    await this.send(await this.explain(stop, backwards));
  }

  /** The arrival of an armed jump. `reason` is for an ordinary arrival. */
  async reportArrival(result: OperationResult, reason: string, description?: string): Promise<void> {
    if (this.debuggee.over) return;
    await this.arrive();
    if (result.outcome === 'cancelled') return this.send({ reason: 'pause', description: 'Cancelled' });
    if (result.outcome === 'begin') return this.send({ reason, description: 'Beginning of the recording' });
    if (result.outcome === 'breakpoint') {
      const hitBreakpointIds = result.address ? await this.debuggee.breakpoints.atAddress(result.address) : [];
      return this.send({ reason: 'breakpoint', hitBreakpointIds });
    }
    if (result.outcome === 'watchpoint') return this.send({ reason: 'data breakpoint' });
    const end = this.debuggee.core.endState();
    if (result.outcome === 'end' && end.kind !== 'running') return this.send(await this.ending(end));
    const said = description ?? (reason === 'goto' ? this.whenDescription() : undefined);
    await this.send({ reason, ...(said ? { description: said } : {}) });
  }

  /** For a stop whose reason is only that somebody wanted to go there. */
  private whenDescription(): string {
    return this.debuggee.core.present().live ? 'Live' : 'In the past';
  }

  async reportPlain(reason: string, description?: string): Promise<void> {
    await this.arrive();
    await this.send({ reason, ...(description ? { description } : {}) });
  }

  private async arrive(): Promise<void> {
    this.debuggee.leave();
    this.debuggee.place = (await this.debuggee.gdb.call<StopPlace | null>('stop')) ?? undefined;
  }

  private async send(body: StoppedBody & { exception?: Exception }): Promise<void> {
    const { exception, ...rest } = body;
    this.debuggee.exception = exception;
    await this.debuggee.console.drain();
    this.debuggee.history.allIsRead();
    const { place } = this.debuggee;
    this.debuggee.history.stopped(rest, place);
    const threadId = place?.tid;
    if (place) this.debuggee.places.set(this.debuggee.core.present().moment.id, place);
    this.debuggee.client.send('stopped', { ...rest, ...(threadId ? { threadId } : {}), allThreadsStopped: true });
    this.debuggee.timelineReporter.now();
  }

  private async explain(stop: Stop, backwards: boolean): Promise<StoppedBody & { exception?: Exception }> {
    const { reason, fields } = stop;
    if (reason === 'breakpoint-hit') return this.breakpoint(fields);
    for (const name of watchTuples) if (fields[name] !== undefined) return this.watchpoint(fields, tuple(fields, name));
    if (stepReasons.has(reason)) return { reason: 'step' };
    if (reason === 'signal-received') return this.signal(stop, text(fields, 'signal-name'));
    if (reason === 'watchpoint-scope')
      return { reason: 'data breakpoint', description: 'The watched variable is gone' };
    return this.unexplained(stop, backwards);
  }

  private async breakpoint(fields: MiTuple): Promise<StoppedBody & { exception?: Exception }> {
    const number = parseInt(text(fields, 'bkptno'), 10);
    const { debuggee } = this;
    if (number === debuggee.entryBreakpoint) {
      debuggee.entryBreakpoint = undefined;
      return { reason: 'entry' };
    }
    const kind = debuggee.exceptions.kindOf(number);
    if (kind) {
      const exception = await debuggee.exceptions.thrown(kind);
      const verb = kind === 'throw' ? 'thrown' : 'caught';
      return {
        reason: 'exception',
        description: `C++ exception ${verb}`,
        text: 'type' in exception ? exception.type : '',
        exception,
      };
    }
    await debuggee.breakpoints.afterHit(number);
    const found = debuggee.breakpoints.withNumber(number);
    if (!found) return { reason: 'breakpoint' };
    const reason = {
      source: 'breakpoint',
      function: 'function breakpoint',
      instruction: 'instruction breakpoint',
      data: 'data breakpoint',
    };
    return { reason: reason[found.spec.kind], hitBreakpointIds: [found.id] };
  }

  private async watchpoint(fields: MiTuple, watch: MiTuple): Promise<StoppedBody> {
    const number = Number(text(watch, 'number'));
    await this.debuggee.breakpoints.afterHit(number);
    const found = this.debuggee.breakpoints.withNumber(number);
    const values = tuple(fields, 'value');
    const [old, now, same] = [text(values, 'old'), text(values, 'new'), text(values, 'value')];
    const name = found?.spec.description ?? text(watch, 'exp');
    const change = old || now ? `${name}: ${old} → ${now}` : `${name} was read: ${same}`;
    return {
      reason: 'data breakpoint',
      description: 'Paused on data breakpoint',
      text: change,
      ...(found ? { hitBreakpointIds: [found.id] } : {}),
    };
  }

  private async signal(stop: Stop, name: string): Promise<StoppedBody & { exception?: Exception }> {
    if (stop.interrupted && ['SIGINT', 'SIGTRAP', 'SIGSTOP', '0'].includes(name)) return { reason: 'pause' };
    if (name === 'SIGTRAP' || name === '0') return { reason: 'pause' };
    const exception = await this.debuggee.exceptions.signal(name);
    const description = exception.kind === 'signal' ? exception.description : '';
    if (fatalSignals.includes(name)) this.debuggee.crash = await this.crash(name, description);
    return { reason: 'exception', description: name, text: description, exception };
  }

  /** What there is to be said of the fatal signal that one stands before. */
  private async crash(signal: string, description: string): Promise<Crash> {
    const { gdb, core, place } = this.debuggee;
    const found = await gdb
      .call<Pick<Crash, 'faultAddress' | 'suspects'>>('crash_suspects', { tid: place?.tid })
      .catch(() => ({ suspects: [] }));
    const { function: name, path, line, pc } = place ?? {};
    return {
      signal,
      description,
      moment: core.present().moment,
      threadId: place?.tid ?? 0,
      location: { ...(name ? { function: name } : {}), ...(path ? { path, line } : {}), ...(pc ? { pc } : {}) },
      ...found,
    };
  }

  /** gdb gave no reason: an end of history, or a stop of the core's own. */
  private async unexplained(stop: Stop, backwards: boolean): Promise<StoppedBody & { exception?: Exception }> {
    if (backwards) return { reason: 'step', description: 'Beginning of the recording' };
    const end = this.debuggee.core.endState();
    if (end.kind !== 'running') return this.ending(end);
    return stop.interrupted ? { reason: 'pause' } : { reason: 'step' };
  }

  private async ending(end: Exclude<EndState, { kind: 'running' }>): Promise<StoppedBody & { exception?: Exception }> {
    this.debuggee.atEnd = true;
    if (end.kind === 'exited') {
      const description = `Program exited with code ${end.exitCode}`;
      this.tellOnce(`${description}; you can step back. Continue ends the session.`);
      return { reason: 'exit', description, text: description };
    }
    const description = explainSignal(
      end.signalName,
      undefined,
      end.faultAddress === undefined ? undefined : BigInt(end.faultAddress),
    );
    this.tellOnce(`${description} You can step back. Continue ends the session.`);
    return {
      reason: 'exception',
      description: end.signalName,
      text: description,
      exception: { kind: 'signal', name: end.signalName, description },
    };
  }

  private tellOnce(sentence: string): void {
    if (this.endTold === sentence) return;
    this.endTold = sentence;
    sendOutput(this.debuggee.client, 'console', `${sentence}\n`);
  }
}
