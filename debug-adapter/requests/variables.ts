/** Variables by page, changes to them, expressions, and the debug console. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { AddressRange } from '../core/core.js';
import type { Debuggee } from '../debuggee.js';
import { quoteMi } from '../gdb/miParser.js';
import type { Context, Handlers } from '../handlers.js';

/** From chronofork_values.describe(). */
interface ValueEntry {
  name: string;
  value: string;
  type?: string;
  ref: number;
  named?: number;
  indexed?: number;
  path?: string;
  memory?: string;
}

function counts({ named, indexed }: ValueEntry): { namedVariables?: number; indexedVariables?: number } {
  return { ...(named ? { namedVariables: named } : {}), ...(indexed ? { indexedVariables: indexed } : {}) };
}

function variableOf(entry: ValueEntry): DebugProtocol.Variable {
  return {
    name: entry.name,
    value: entry.value,
    variablesReference: entry.ref,
    ...(entry.type ? { type: entry.type } : {}),
    ...(entry.path ? { evaluateName: entry.path } : {}),
    ...(entry.memory ? { memoryReference: entry.memory } : {}),
    ...counts(entry),
  };
}

async function variables(
  context: Context,
  args: DebugProtocol.VariablesArguments,
): Promise<DebugProtocol.VariablesResponse['body']> {
  const debuggee = context.debuggee();
  const ofOutput = debuggee.links?.variableOf(args.variablesReference);
  if (ofOutput) return { variables: ofOutput };
  debuggee.requireStopped();
  const listed = await debuggee.gdb.call<ValueEntry[]>('children', {
    ref: args.variablesReference,
    start: args.start ?? 0,
    count: args.count ?? 0,
    hex: args.format?.hex ?? false,
  });
  return { variables: listed.map(variableOf) };
}

/** After a change: the present may now count as edited, and other views may be stale. */
function changed(context: Context, debuggee: Debuggee): void {
  context.afterResponse(() => debuggee.changedByHand());
}

async function setVariable(
  context: Context,
  args: DebugProtocol.SetVariableArguments,
): Promise<DebugProtocol.SetVariableResponse['body']> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const entry = await debuggee.gdb.call<ValueEntry>('assign', {
    ref: args.variablesReference,
    name: args.name,
    value: args.value,
  });
  changed(context, debuggee);
  return {
    value: entry.value,
    ...(entry.type ? { type: entry.type } : {}),
    variablesReference: entry.ref,
    ...counts(entry),
  };
}

async function setExpression(
  context: Context,
  args: DebugProtocol.SetExpressionArguments,
): Promise<DebugProtocol.SetExpressionResponse['body']> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const entry = await debuggee.gdb.call<ValueEntry>('evaluate', {
    expression: `(${args.expression}) = (${args.value})`,
    ...debuggee.frameArguments(args.frameId),
  });
  changed(context, debuggee);
  return {
    value: entry.value,
    ...(entry.type ? { type: entry.type } : {}),
    variablesReference: entry.ref,
    ...counts(entry),
  };
}

type EvaluateBody = DebugProtocol.EvaluateResponse['body'];

// gdb's commands that step back by single instructions until a line is left.
const reverseLineSteps = /^(reverse-(next|n|step|s)|rn|rs)\b/;

/** `-exec COMMAND`: gdb's own command line. */
async function gdbCommand(
  context: Context,
  debuggee: Debuggee,
  command: string,
  frameId: number | undefined,
): Promise<EvaluateBody> {
  const { tid, level } = debuggee.frameArguments(frameId);
  if (tid !== undefined && !debuggee.execution.running) await debuggee.gdb.call('choose_frame', { tid, level });
  if (!debuggee.execution.running) {
    const byLine = reverseLineSteps.test(command);
    debuggee.core.setReverseRanges(byLine ? await debuggee.gdb.call<AddressRange[]>('line_blocks') : []);
  }
  const printed = await debuggee.gdb.console(command);
  if (!debuggee.execution.running) changed(context, debuggee);
  return { result: printed.trimEnd(), variablesReference: 0 };
}

async function evaluate(context: Context, args: DebugProtocol.EvaluateArguments): Promise<EvaluateBody> {
  const debuggee = context.debuggee();
  const command = /^\s*-exec\s+(.+)$/s.exec(args.expression);
  if (command && (args.context === 'repl' || args.context === undefined))
    return gdbCommand(context, debuggee, command[1]!, args.frameId);
  debuggee.requireStopped();
  const entry = await debuggee.gdb.call<ValueEntry>('evaluate', {
    expression: args.expression,
    hex: args.format?.hex ?? false,
    pure: args.context === 'hover',
    ...debuggee.frameArguments(args.frameId),
  });
  if (args.context === 'repl') changed(context, debuggee);
  return {
    result: entry.value,
    variablesReference: entry.ref,
    ...(entry.type ? { type: entry.type } : {}),
    ...(entry.memory ? { memoryReference: entry.memory } : {}),
    ...counts(entry),
  };
}

async function completions(
  context: Context,
  args: DebugProtocol.CompletionsArguments,
): Promise<DebugProtocol.CompletionsResponse['body']> {
  const debuggee = context.debuggee();
  if (debuggee.execution.running) return { targets: [] };
  const typed = args.text.slice(0, Math.max(0, args.column - 1));
  const { tid, level } = debuggee.frameArguments(args.frameId);
  if (tid !== undefined) await debuggee.gdb.call('choose_frame', { tid, level });
  const execPrefix = /^\s*-exec\s+/.exec(typed)?.[0];
  const asked = execPrefix === undefined ? `print ${typed}` : typed.slice(execPrefix.length);
  const hidden = execPrefix === undefined ? 'print '.length : 0;
  const fields = await debuggee.gdb.command(`-complete ${quoteMi(asked)}`);
  const matches = Array.isArray(fields.matches) ? fields.matches.filter((match) => typeof match === 'string') : [];
  // gdb completes the whole line; the client wants what replaces the last word.
  const wordStart = asked.search(/[\w$]*$/);
  const targets = matches.map((match) => ({
    label: match.slice(wordStart),
    start: typed.length - (asked.length - wordStart),
    length: asked.length - wordStart,
  }));
  return { targets: hidden > wordStart ? [] : targets };
}

export const variablesHandlers: Handlers = { variables, setVariable, setExpression, evaluate, completions };
