/**
 * Which expression a cursor in source text means. Pure: no vscode.
 *
 * It reads one line and knows names, members and subscripts of C, C++ and Rust;
 * gdb judges whether it is one that has an address.
 */

const name = /[A-Za-z_]\w*/y;
/** What may stand between a name and the member behind it. */
const joints = ['->', '::', '.'];

/**
 * The expression that ends with the name at `column`, with all it is a member
 * of: in `a.b->c` with the cursor in `b` that is `a.b`. Undefined where there
 * is no name.
 *
 * @param column counted from 0; the place behind a name's last letter belongs to it
 */
export function expressionAt(line: string, column: number): string | undefined {
  let end = column;
  while (/\w/.test(line[end] ?? '')) end++;
  let start = startOfName(line, end);
  if (start === end) return undefined;
  for (;;) {
    const joint = joints.find((candidate) => line.endsWith(candidate, start));
    if (!joint) break;
    const before = startOfOperand(line, start - joint.length);
    if (before === undefined) break;
    start = before;
  }
  return line.slice(start, end);
}

/** Where the name that ends at `end` begins; `end` itself when none does. */
function startOfName(line: string, end: number): number {
  let start = end;
  while (start > 0 && /\w/.test(line[start - 1] ?? '')) start--;
  name.lastIndex = start;
  return name.test(line) ? start : end;
}

/** Where the name, with its subscripts, that ends at `end` begins: `table[i]` in `table[i].size`. */
function startOfOperand(line: string, end: number): number | undefined {
  while (line[end - 1] === ']') {
    let depth = 0;
    do {
      end--;
      if (line[end] === ']') depth++;
      else if (line[end] === '[') depth--;
    } while (depth > 0 && end > 0);
    if (depth > 0) return undefined;
  }
  const start = startOfName(line, end);
  return start === end ? undefined : start;
}
