/**
 * What counts as an exception: signals that the debuggee does not expect, and
 * C++ throw and catch. Says in plain words what a signal means.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Gdb } from '../gdb/miConnection.js';
import { text, tuple } from '../gdb/miParser.js';

export const exceptionFilters: DebugProtocol.ExceptionBreakpointsFilter[] = [
  {
    filter: 'signals',
    label: 'Fatal signals',
    description:
      'Stops where a segmentation fault, an abort or another fatal error happens, before the program is gone.',
    default: true,
  },
  {
    filter: 'allSignals',
    label: 'All signals',
    description: 'Stops at every signal that is delivered.',
    default: false,
  },
  { filter: 'throw', label: 'C++: throw', description: 'Stops where a C++ exception is thrown.', default: false },
  { filter: 'catch', label: 'C++: catch', description: 'Stops where a C++ exception is caught.', default: false },
];

/** Signals that the program's own instructions raise; the others come from outside, and are its business. */
export const fatalSignals = ['SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGABRT', 'SIGSYS'];

/** A signal or C++ exception that the session has stopped at. */
export type Exception =
  { kind: 'signal'; name: string; description: string } | { kind: 'throw' | 'catch'; type: string; value: string };

const explanations: Record<string, string> = {
  SIGSEGV: 'Segmentation fault: the program used an address it must not use',
  SIGBUS: 'Bus error: the program used memory that cannot be accessed that way',
  SIGFPE: 'Arithmetic error',
  SIGILL: 'Illegal instruction: the program ran into something that is no code',
  SIGABRT: 'Aborted: the program gave up by itself (abort, a failed assertion, or an uncaught exception)',
  SIGSYS: 'Bad system call: the program made a call that is not allowed',
  SIGTRAP: 'Trap: the program ran into a breakpoint of its own',
  SIGINT: 'Interrupted, as by Ctrl-C',
  SIGTERM: 'Asked to end (SIGTERM)',
  SIGPIPE: 'Wrote to a pipe or socket that nobody reads',
};

/** Codes of siginfo, by signal. */
const signalCodes: Record<string, Record<number, string>> = {
  SIGSEGV: { 1: 'nothing is mapped there', 2: 'that kind of access is not allowed there' },
  SIGBUS: { 1: 'the address is not aligned', 2: 'there is no memory behind it (a file that became shorter?)' },
  SIGFPE: { 1: 'integer division by zero', 2: 'integer overflow', 3: 'division by zero', 7: 'invalid operation' },
};

/** One sentence for a signal. `code` and `address` are those of siginfo. */
export function explainSignal(name: string, code?: number, address?: bigint): string {
  const base = explanations[name] ?? `Signal ${name}`;
  const detail = code === undefined ? undefined : signalCodes[name]?.[code];
  if (
    (name === 'SIGSEGV' || name === 'SIGBUS') &&
    address !== undefined &&
    code !== undefined &&
    code > 0 &&
    code < 128
  ) {
    const where = address === 0n ? '0x0 (a null pointer)' : `0x${address.toString(16)}`;
    return `${base}, ${where}${detail ? `: ${detail}` : ''}.`;
  }
  return detail ? `${base}: ${detail}.` : `${base}.`;
}

export class Exceptions {
  private readonly catchpoints = new Map<'throw' | 'catch', number>();

  constructor(private readonly gdb: Gdb) {}

  /** Sets gdb's table of signals before any filter is known. */
  async begin(stopAtSignals: boolean): Promise<void> {
    await this.setFilters(stopAtSignals ? ['signals'] : []);
  }

  async setFilters(filters: string[]): Promise<void> {
    const all = filters.includes('allSignals');
    const stopping = all ? ['all'] : filters.includes('signals') ? fatalSignals : [];
    await this.gdb.call('handle_signals', { stopping, passing: all ? [] : ['all'] });
    for (const kind of ['throw', 'catch'] as const) await this.setCatchpoint(kind, filters.includes(kind));
  }

  /** Whether throw or catch stops. */
  get catching(): boolean {
    return this.catchpoints.size > 0;
  }

  /** Which filter's catchpoint has this number of gdb's. */
  kindOf(number: number): 'throw' | 'catch' | undefined {
    for (const [kind, known] of this.catchpoints) if (known === number) return kind;
    return undefined;
  }

  async signal(name: string): Promise<Exception> {
    const info = await this.gdb
      .call<{ code?: number; address?: string }>('exception_info')
      .catch((): { code?: number; address?: string } => ({}));
    const address = info.address === undefined ? undefined : BigInt(info.address);
    return { kind: 'signal', name, description: explainSignal(name, info.code, address) };
  }

  async thrown(kind: 'throw' | 'catch'): Promise<Exception> {
    const found = await this.gdb.call<{ type: string | null; value: string }>('thrown', { kind });
    return { kind, type: found.type ?? 'C++ exception', value: found.value };
  }

  private async setCatchpoint(kind: 'throw' | 'catch', wanted: boolean): Promise<void> {
    const number = this.catchpoints.get(kind);
    if (wanted && number === undefined) {
      const shown = tuple(await this.gdb.command(`-catch-${kind}`), 'bkpt');
      this.catchpoints.set(kind, Number(text(shown, 'number')));
    } else if (!wanted && number !== undefined) {
      this.catchpoints.delete(kind);
      await this.gdb.command(`-break-delete ${number}`);
    }
  }
}

/** The body of `exceptionInfo`. */
export function exceptionInfoOf(exception: Exception): DebugProtocol.ExceptionInfoResponse['body'] {
  if (exception.kind === 'signal')
    return { exceptionId: exception.name, description: exception.description, breakMode: 'unhandled' };
  const verb = exception.kind === 'throw' ? 'thrown' : 'caught';
  return {
    exceptionId: exception.type,
    description: `${exception.type} ${verb}${exception.value ? `: ${exception.value}` : ''}`,
    breakMode: 'always',
    details: { typeName: exception.type, message: exception.value },
  };
}
