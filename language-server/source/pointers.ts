/**
 * Which expressions of a line go through a pointer, and where a variable's
 * value comes from: what a crash is traced back by. Pure; the debugger is asked
 * whether any of it is so.
 */
import { expressionAt } from './expressionAt.js';
import { withoutComments } from './names.js';

const afterPointer = /->|\[/g;
/** Or a product: that is not told apart here. */
const starred = /\*+\s*(?=[A-Za-z_])/g;

/** The pointers that a line goes through, the outermost first: `a->b` and `a` in `a->b->c`. */
export function pointersOn(line: string): string[] {
  const text = withoutComments(line);
  const found = new Set<string>();
  for (const { index } of text.matchAll(afterPointer)) {
    const before = text.slice(0, index).trimEnd();
    const expression = expressionAt(text, before.length);
    if (expression) found.add(expression);
  }
  for (const match of text.matchAll(starred)) {
    const rest = /^[\w.]+(?:->[\w.]+|\[[^\]]*\])*/.exec(text.slice(match.index + match[0].length))?.[0];
    if (rest) found.add(rest);
  }
  return [...found].sort((one, other) => other.length - one.length);
}

/** What `variable` is given on a line, if that is a variable itself: `c->account` in `account = c->account;`. */
export function sourceOf(line: string, variable: string): string | undefined {
  const text = withoutComments(line);
  const escaped = variable.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const given = new RegExp(`(?<![\\w.>])${escaped}\\s*=(?!=)\\s*([^;,]+)[;,]`).exec(text)?.[1]?.trim();
  if (given === undefined || !/^[A-Za-z_]\w*(?:(?:\.|->)\w+|\[[\w.]+\])*$/.test(given)) return undefined;
  return given;
}
