/** Names of functions as gdb prints them, for C++ and Rust with parameters: `(anonymous namespace)::f(int) const`. */

const qualifiers = /^(?:\s*(?:const|volatile|&&?|\[clone [^\]]*\]))*$/;

/** The name alone, to put arguments behind it. */
export function withoutParameters(name: string): string {
  const end = name.lastIndexOf(')');
  if (!qualifiers.test(name.slice(end + 1))) return name;
  let depth = 0;
  for (let at = end; at >= 0; at--) {
    if (name[at] === ')') depth++;
    else if (name[at] === '(') depth--;
    if (depth === 0) return name.slice(0, at).endsWith('operator') ? name : name.slice(0, at);
  }
  return name;
}
