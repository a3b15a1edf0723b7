/** Threads, stack frames, scopes, modules, sources, exception info. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { ChronoforkError } from '../errors.js';
import { text, tuples } from '../gdb/miParser.js';
import type { Context, Handlers } from '../handlers.js';
import { exceptionInfoOf } from './exceptions.js';

interface FrameEntry {
  level: number;
  pc: string;
  function: string;
  path?: string;
  line?: number;
  module?: string;
  inline: boolean;
}

const sourceExists = new Map<string, boolean>();

function exists(path: string): boolean {
  let known = sourceExists.get(path);
  if (known === undefined) {
    known = existsSync(path);
    sourceExists.set(path, known);
  }
  return known;
}

async function threads(context: Context): Promise<DebugProtocol.ThreadsResponse['body']> {
  const debuggee = context.debuggee();
  // While it runs gdb answers nothing; the client asks all the same.
  if (debuggee.execution.running) return { threads: debuggee.place ? [{ id: debuggee.place.tid, name: 'main' }] : [] };
  const listed = await debuggee.gdb.call<{ tid: number; name: string }[]>('threads');
  return { threads: listed.map(({ tid, name }) => ({ id: tid, name: name || `thread ${tid}` })) };
}

async function stackTrace(
  context: Context,
  args: DebugProtocol.StackTraceArguments,
): Promise<DebugProtocol.StackTraceResponse['body']> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const { frames, total } = await debuggee.gdb.call<{ frames: FrameEntry[]; total: number }>('stack', {
    tid: args.threadId,
    start: args.startFrame ?? 0,
    count: args.levels ?? 0,
  });
  return {
    totalFrames: total,
    stackFrames: frames.map((entry) => frameOf(entry, debuggee.stackFrames.idOf(args.threadId, entry.level))),
  };
}

function frameOf(entry: FrameEntry, id: number): DebugProtocol.StackFrame {
  const where = entry.module ? ` [${basename(entry.module)}]` : '';
  const shown: DebugProtocol.StackFrame = {
    id,
    name: (entry.function || '??') + where,
    line: entry.line ?? 0,
    column: 0,
    instructionPointerReference: entry.pc,
  };
  if (!entry.path) return { ...shown, presentationHint: 'subtle' };
  shown.source = { name: basename(entry.path), path: entry.path };
  if (!exists(entry.path)) shown.source.presentationHint = 'deemphasize';
  return shown;
}

interface ScopeEntry {
  name: string;
  hint: string;
  ref: number;
  named?: number;
}

async function scopes(
  context: Context,
  args: DebugProtocol.ScopesArguments,
): Promise<DebugProtocol.ScopesResponse['body']> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const listed = await debuggee.gdb.call<ScopeEntry[]>('scopes', debuggee.stackFrames.find(args.frameId));
  return {
    scopes: listed.map(({ name, hint, ref, named }) => ({
      name,
      presentationHint: hint,
      variablesReference: ref,
      expensive: hint === 'registers',
      ...(named === undefined ? {} : { namedVariables: named }),
    })),
  };
}

interface ModuleEntry {
  path: string;
  start?: string;
  end?: string;
  symbols?: boolean;
}

async function modules(
  context: Context,
  args: DebugProtocol.ModulesArguments,
): Promise<DebugProtocol.ModulesResponse['body']> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const listed = await debuggee.gdb.call<ModuleEntry[]>('modules');
  const start = args.startModule ?? 0;
  const page = listed.slice(start, args.moduleCount ? start + args.moduleCount : undefined);
  return {
    totalModules: listed.length,
    modules: page.map(({ path, start: low, end, symbols }) => ({
      id: path,
      name: basename(path),
      path,
      ...(low && end ? { addressRange: `${low}-${end}` } : {}),
      ...(symbols === undefined ? {} : { symbolStatus: symbols ? 'Symbols loaded' : 'No debug information' }),
    })),
  };
}

async function loadedSources(context: Context): Promise<DebugProtocol.LoadedSourcesResponse['body']> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const files = tuples(await debuggee.gdb.command('-file-list-exec-source-files'), 'files');
  const paths = new Set(files.map((file) => text(file, 'fullname')).filter((path) => path.startsWith('/')));
  return { sources: [...paths].sort().map((path) => ({ name: basename(path), path })) };
}

async function exceptionInfo(context: Context): Promise<DebugProtocol.ExceptionInfoResponse['body']> {
  const { exception } = context.debuggee();
  if (!exception) throw new ChronoforkError('invalidArguments', 'The program has not stopped at an exception.');
  return exceptionInfoOf(exception);
}

export const stackHandlers: Handlers = { threads, stackTrace, scopes, modules, loadedSources, exceptionInfo };
