/**
 * The names of variables in source text, line by line: not what comments and
 * strings say, no members (`b` in `a.b`), no functions that are called. Pure.
 *
 * It is no parser: what it finds is only looked up among the variables that
 * the debugger knows at a place.
 */

const blank = (text: string) => text.replace(/[^\n]/g, ' ');

/** The same text with comments, strings and character constants blanked out; lines and columns stay. */
export function withoutComments(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*|"(?:\\[\s\S]|[^"\\\n])*"?|'(?:\\[\s\S][^'\n]*|[^'\\\n])'/g,
    blank,
  );
}

const name = /(?<![\w.]|->|::)[A-Za-z_]\w*(?!\w|\s*\(|\s*::|!)/g;

/** The names on each line of a text, each once, in order. */
export function namesByLine(text: string): string[][] {
  return withoutComments(text)
    .split('\n')
    .map((line) => [...new Set(line.match(name) ?? [])]);
}

const noTypes = new Set(['return', 'case', 'else', 'goto', 'throw', 'delete', 'in', 'sizeof', 'await']);
const declaration = /([A-Za-z_]\w*)(?:\s*[*&]+\s*|\s+)([A-Za-z_]\w*)\s*(?=[=;,[{:]|$)/g;

/** The names that a line declares: before it is executed they hold anything. */
export function declaredOn(line: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [, type = '', declared = ''] of withoutComments(line).matchAll(declaration))
    if (!noTypes.has(type)) found.add(declared);
  return found;
}

/** Where a variable's value is shown. */
export interface Mention {
  /** From 0 on. */
  readonly line: number;
  readonly names: readonly string[];
}

/**
 * Where to show the values of variables: each name once, on the line nearest
 * before where the program stands, or on that line. Lines after it have not
 * been reached yet this time, and what is declared there holds anything.
 *
 * @param present  the line where the program stands; `first`: where its function begins. From 0 on.
 */
export function mentions(
  lines: readonly (readonly string[])[],
  first: number,
  present: number,
  known: ReadonlySet<string>,
): Mention[] {
  const shown = new Set<string>();
  const found: Mention[] = [];
  for (let line = Math.min(present, lines.length - 1); line >= Math.max(0, first); line--) {
    const names = (lines[line] ?? []).filter((one) => known.has(one) && !shown.has(one));
    for (const one of names) shown.add(one);
    if (names.length > 0) found.push({ line, names });
  }
  return found.reverse();
}
