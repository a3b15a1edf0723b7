/** The stack frame that is looked at, and the variables of it, for one view of a session. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { CancelToken } from '../sessions/adapterLink.js';
import type { LiveSession } from '../sessions/liveSession.js';
import type { Follow } from '../protocol/historyProtocol.js';

/** Frames without source are passed over; below so many of them nobody looks. */
const searchedFrames = 200;

export interface PresentFrame {
  readonly id: number;
  readonly function: string;
  readonly path: string;
  /** From 1 on. */
  readonly line: number;
  readonly innermost: boolean;
}

/** The frame that the client names, or the innermost one whose source is here. */
export async function presentFrame(
  session: LiveSession,
  looked: Follow,
  token?: CancelToken,
): Promise<PresentFrame | undefined> {
  const threadId = looked.threadId ?? session.view?.threadId;
  if (threadId === undefined) return undefined;
  const { stackFrames } = await session.inView(`stack ${threadId}`, () =>
    session.look<DebugProtocol.StackTraceResponse['body']>('stackTrace', { threadId, levels: searchedFrames }, token),
  );
  const named = stackFrames.find(({ id }) => id === looked.frameId);
  const hasSource = ({ source }: DebugProtocol.StackFrame) =>
    source?.path !== undefined && source.presentationHint !== 'deemphasize';
  const frame = named ?? stackFrames.find(hasSource);
  if (!frame?.source?.path) return undefined;
  const { id, name, line, source } = frame;
  return { id, function: name, path: source.path!, line, innermost: frame === stackFrames[0] };
}

/** Its local variables and arguments by name; a name that several have is left out, for it may be either. */
export function localsOf(session: LiveSession, frameId: number, token?: CancelToken): Promise<Map<string, string>> {
  return session.inView(`locals ${frameId}`, async () => {
    const { scopes } = await session.look<DebugProtocol.ScopesResponse['body']>('scopes', { frameId }, token);
    const locals = scopes.find(({ presentationHint }) => presentationHint === 'locals');
    if (!locals) return new Map<string, string>();
    const args = { variablesReference: locals.variablesReference };
    const { variables } = await session.look<DebugProtocol.VariablesResponse['body']>('variables', args, token);
    const found = new Map<string, string>();
    const several = new Set<string>();
    for (const { name, value } of variables) {
      if (found.has(name)) several.add(name);
      found.set(name, value);
    }
    for (const name of several) found.delete(name);
    return found;
  });
}

/** An expression's value in that frame; undefined where it has none. Nothing of the program is called. */
export function valueOf(session: LiveSession, frameId: number, expression: string): Promise<string | undefined> {
  return session.inView(`value ${frameId} ${expression}`, () =>
    session
      .look<DebugProtocol.EvaluateResponse['body']>('evaluate', { expression, frameId, context: 'hover' })
      .then(({ result }) => result)
      .catch(() => undefined),
  );
}
