/** What there is to ask about the program as such: the functions of its files, and what session this is. */
import { ChronoforkError } from '../errors.js';
import type { Context, Handlers } from '../handlers.js';
import type { ArgumentsOf, FunctionRange, ResponseOf } from '../protocol/timeTravel.js';

/** From chronofork_functions.file_functions(). */
export interface FileFunction extends FunctionRange {
  /** Where calls of it go to: several addresses for a template. */
  entries: string[];
}

async function functions(
  context: Context,
  args: ArgumentsOf<'chronofork/functions'>,
): Promise<ResponseOf<'chronofork/functions'>> {
  if (!args.source?.path) throw new ChronoforkError('invalidArguments', 'chronofork/functions needs "source".');
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const found = await debuggee.gdb.call<FileFunction[]>('file_functions', { path: args.source.path });
  return { functions: found.map(({ name, line, endLine }) => ({ name, line, endLine })) };
}

async function session(context: Context): Promise<ResponseOf<'chronofork/session'>> {
  const { program, execution, place, time, heldPresent } = context.debuggee();
  return {
    adapter: process.pid,
    program,
    // A query leaves the session where it is: whoever asks meanwhile is told so.
    stopped: heldPresent !== undefined || (!time.operation && !execution.running),
    ...(place ? { threadId: place.tid } : {}),
  };
}

export const programHandlers: Handlers = { 'chronofork/functions': functions, 'chronofork/session': session };
