/**
 * Breakpoints of every kind. All of them may be set while the debuggee runs: it
 * is stopped for a moment, silently.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { ChronoforkError } from '../errors.js';
import { quoteMi } from '../gdb/miParser.js';
import type { Context, Handlers } from '../handlers.js';
import type { BreakpointSpec } from './breakpointTable.js';

type Breakpoints = { breakpoints: DebugProtocol.Breakpoint[] };

function sourceSpec(path: string, wanted: DebugProtocol.SourceBreakpoint): BreakpointSpec {
  return {
    kind: 'source',
    where: `--source ${quoteMi(path)} --line ${wanted.line}`,
    linespec: `-source ${quoteMi(path)} -line ${wanted.line}`,
    condition: wanted.condition || undefined,
    hitCondition: wanted.hitCondition || undefined,
    logMessage: wanted.logMessage || undefined,
    path,
    line: wanted.line,
  };
}

async function replace(context: Context, list: string, specs: BreakpointSpec[]): Promise<Breakpoints> {
  const debuggee = context.debuggee();
  if (debuggee.config.noDebug) return { breakpoints: specs.map(() => ({ verified: false })) };
  const breakpoints = await debuggee.whileStopped(() => debuggee.breakpoints.replace(list, specs));
  return { breakpoints };
}

async function setBreakpoints(context: Context, args: DebugProtocol.SetBreakpointsArguments): Promise<Breakpoints> {
  const path = args.source?.path;
  if (!path) {
    const message = 'This source has no file, so it can have no breakpoints.';
    return { breakpoints: (args.breakpoints ?? []).map(() => ({ verified: false, message })) };
  }
  return replace(
    context,
    `source:${path}`,
    (args.breakpoints ?? []).map((wanted) => sourceSpec(path, wanted)),
  );
}

async function setFunctionBreakpoints(
  context: Context,
  args: DebugProtocol.SetFunctionBreakpointsArguments,
): Promise<Breakpoints> {
  const specs = args.breakpoints.map(({ name, condition, hitCondition }): BreakpointSpec => ({
    kind: 'function',
    where: `--function ${quoteMi(name)}`,
    linespec: `-function ${quoteMi(name)}`,
    condition: condition || undefined,
    hitCondition: hitCondition || undefined,
  }));
  return replace(context, 'function', specs);
}

async function setInstructionBreakpoints(
  context: Context,
  args: DebugProtocol.SetInstructionBreakpointsArguments,
): Promise<Breakpoints> {
  const specs = args.breakpoints.map(({ instructionReference, offset, condition, hitCondition }): BreakpointSpec => {
    const address = `*0x${(BigInt(instructionReference) + BigInt(offset ?? 0)).toString(16)}`;
    return {
      kind: 'instruction',
      where: address,
      linespec: address,
      condition: condition || undefined,
      hitCondition: hitCondition || undefined,
    };
  });
  return replace(context, 'instruction', specs);
}

/** What a dataId says: it must be enough to set the breakpoint later. */
interface DataId {
  expression: string;
  path: string;
}

interface PlaceInMemory {
  expression: string;
  address: string;
  size: number;
  path: string | null;
  value: string;
  type: string;
}

async function dataBreakpointInfo(
  context: Context,
  args: DebugProtocol.DataBreakpointInfoArguments,
): Promise<DebugProtocol.DataBreakpointInfoResponse['body']> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const { asAddress, bytes } = args as { asAddress?: boolean; bytes?: number };
  if (asAddress) return dataId(args.name, BigInt(args.name), bytes ?? 8, null);
  try {
    const place = await debuggee.gdb.call<PlaceInMemory>(
      'place_in_memory',
      args.variablesReference
        ? { ref: args.variablesReference, name: args.name }
        : { expression: args.name, ...debuggee.frameArguments(args.frameId) },
    );
    return dataId(place.expression, BigInt(place.address), place.size, place.path);
  } catch (error) {
    if (!(error instanceof ChronoforkError)) throw error;
    return { dataId: null, description: error.message };
  }
}

function dataId(
  expression: string,
  address: bigint,
  size: number,
  path: string | null,
): DebugProtocol.DataBreakpointInfoResponse['body'] {
  const bytes = `*(char (*)[${size}]) 0x${address.toString(16)}`;
  const id: DataId = { expression, path: path ?? bytes };
  return {
    dataId: JSON.stringify(id),
    description: `${expression} (${size} bytes at 0x${address.toString(16)})`,
    accessTypes: ['read', 'write', 'readWrite'],
    canPersist: false,
  };
}

async function setDataBreakpoints(
  context: Context,
  args: DebugProtocol.SetDataBreakpointsArguments,
): Promise<Breakpoints> {
  const options = { read: '-r ', write: '', readWrite: '-a ' };
  const specs = args.breakpoints.map((wanted): BreakpointSpec => {
    const id = readDataId(wanted.dataId);
    return {
      kind: 'data',
      where: `${options[wanted.accessType ?? 'write']}${quoteMi(id.path)}`,
      linespec: '',
      condition: wanted.condition || undefined,
      hitCondition: wanted.hitCondition || undefined,
      description: id.expression,
    };
  });
  return replace(context, 'data', specs);
}

/** @throws invalidArguments of what dataBreakpointInfo did not give (null is its "cannot be watched") */
function readDataId(text: string): DataId {
  let id: Partial<DataId> | null = null;
  try {
    id = JSON.parse(text) as Partial<DataId> | null;
  } catch {
    // said below
  }
  if (typeof id?.path === 'string') return { path: id.path, expression: String(id.expression) };
  throw new ChronoforkError(
    'invalidArguments',
    'This data breakpoint is not one of ours.',
    'Set it again from the Variables view.',
  );
}

async function breakpointLocations(
  context: Context,
  args: DebugProtocol.BreakpointLocationsArguments,
): Promise<DebugProtocol.BreakpointLocationsResponse['body']> {
  const debuggee = context.debuggee();
  if (debuggee.execution.running || !args.source.path) return { breakpoints: [] };
  const lines = await debuggee.gdb.call<number[]>('code_lines', {
    path: args.source.path,
    first: args.line,
    last: args.endLine ?? args.line,
  });
  return { breakpoints: lines.map((line) => ({ line })) };
}

async function setExceptionBreakpoints(
  context: Context,
  args: DebugProtocol.SetExceptionBreakpointsArguments,
): Promise<Breakpoints> {
  const debuggee = context.debuggee();
  if (!debuggee.config.noDebug) await debuggee.whileStopped(() => debuggee.exceptions.setFilters(args.filters));
  return { breakpoints: args.filters.map(() => ({ verified: true })) };
}

export const breakpointHandlers: Handlers = {
  setBreakpoints,
  setFunctionBreakpoints,
  setInstructionBreakpoints,
  dataBreakpointInfo,
  setDataBreakpoints,
  breakpointLocations,
  setExceptionBreakpoints,
};
