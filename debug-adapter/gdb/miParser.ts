/**
 * Reads one line of gdb's machine interface (GDB/MI, version 3).
 *
 *     12^done,bkpt={number="1",addr="0x…"}      result record, with our token
 *     *stopped,reason="breakpoint-hit",…        exec async record
 *     =thread-created,id="1"                    notify async record
 *     ~"text\n"   &"text"   @"text"             console, log, target stream
 *     (gdb)                                     prompt: nothing
 *
 * Easy to get wrong: a debuggee that shares gdb's terminal could print
 * anything between the records; here it never does, but a line that is not MI
 * is still given as it is, not lost. Strings are bytes in octal escapes, so a
 * UTF-8 character arrives as several.
 */

export type MiValue = string | MiValue[] | MiTuple;
export interface MiTuple {
  [name: string]: MiValue | undefined;
}

export type MiRecord =
  | { kind: 'result'; token: number | undefined; className: string; fields: MiTuple }
  | { kind: 'exec' | 'notify' | 'status'; className: string; fields: MiTuple }
  | { kind: 'console' | 'target' | 'log'; text: string }
  | { kind: 'prompt' }
  | { kind: 'other'; text: string };

/** A line that begins like MI but does not go on like it. */
export class MiSyntaxError extends Error {
  constructor(line: string, position: number) {
    super(`gdb sent a line that is not MI at column ${position + 1}: ${line.slice(0, 200)}`);
  }
}

const asyncKinds: Record<string, 'exec' | 'notify' | 'status'> = { '*': 'exec', '=': 'notify', '+': 'status' };
const streamKinds: Record<string, 'console' | 'target' | 'log'> = { '~': 'console', '@': 'target', '&': 'log' };
const simpleEscapes: Record<string, number> = { n: 10, t: 9, r: 13, f: 12, b: 8, v: 11, a: 7, e: 27 };

class Reader {
  position = 0;

  constructor(private readonly line: string) {}

  get atEnd(): boolean {
    return this.position >= this.line.length;
  }

  peek(): string {
    return this.line[this.position] ?? '';
  }

  take(expected: string): void {
    if (this.peek() !== expected) this.fail();
    this.position++;
  }

  fail(): never {
    throw new MiSyntaxError(this.line, this.position);
  }

  /** Up to one of `, = " { } [ ]` or the end. */
  word(): string {
    const start = this.position;
    while (!this.atEnd && !',="{}[]'.includes(this.peek())) this.position++;
    if (this.position === start) this.fail();
    return this.line.slice(start, this.position);
  }

  string(): string {
    this.take('"');
    const start = this.position;
    let plain = true;
    while (!this.atEnd && this.peek() !== '"') {
      if (this.peek() === '\\') {
        plain = false;
        this.position++;
      }
      this.position++;
    }
    const end = this.position;
    this.take('"');
    const inner = this.line.slice(start, end);
    return plain ? inner : unescape(inner);
  }

  value(): MiValue {
    switch (this.peek()) {
      case '"':
        return this.string();
      case '{': {
        this.position++;
        const tuple = this.fields('}');
        this.take('}');
        return tuple;
      }
      case '[':
        return this.list();
      default:
        return this.fail();
    }
  }

  /** A list holds values, or results whose names all say the same: those are dropped. */
  list(): MiValue[] {
    this.take('[');
    const items: MiValue[] = [];
    while (this.peek() !== ']') {
      if (items.length > 0) this.take(',');
      if (!'"{['.includes(this.peek())) {
        this.word();
        this.take('=');
      }
      items.push(this.value());
    }
    this.take(']');
    return items;
  }

  /** name=value,… up to `closing` or the end of the line. */
  fields(closing: string): MiTuple {
    const tuple: MiTuple = {};
    while (!this.atEnd && this.peek() !== closing) {
      if (Object.keys(tuple).length > 0) this.take(',');
      // gdb 13 shows the locations of a breakpoint as nameless tuples after it (MI 2 habit).
      if (this.peek() === '{') {
        const extra = (tuple[''] ??= []) as MiValue[];
        extra.push(this.value());
        continue;
      }
      const name = this.word();
      this.take('=');
      tuple[name] = this.value();
    }
    return tuple;
  }
}

function unescape(text: string): string {
  const bytes: number[] = [];
  const source = Buffer.from(text, 'utf8');
  for (let i = 0; i < source.length; i++) {
    const byte = source[i]!;
    if (byte !== 0x5c) {
      bytes.push(byte);
      continue;
    }
    const octal = /^[0-7]{1,3}/.exec(source.toString('latin1', i + 1, i + 4));
    if (octal) {
      bytes.push(parseInt(octal[0], 8) & 255);
      i += octal[0].length;
      continue;
    }
    const next = source[++i];
    if (next !== undefined) bytes.push(simpleEscapes[String.fromCharCode(next)] ?? next);
  }
  return Buffer.from(bytes).toString('utf8');
}

/** A C string literal as MI's arguments take it. */
export function quoteMi(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n').replace(/\r/g, '\\r').replace(/\t/g, '\\t')}"`;
}

/** @throws MiSyntaxError */
export function parseMiLine(line: string): MiRecord {
  if (line.startsWith('(gdb)')) return { kind: 'prompt' };
  const start = /^(\d*)([\^*=+~@&])/.exec(line);
  if (!start) return { kind: 'other', text: line };
  const reader = new Reader(line);
  reader.position = start[0].length;
  const sign = start[2]!;
  const stream = streamKinds[sign];
  if (stream) return { kind: stream, text: reader.string() };
  const className = reader.word();
  if (!reader.atEnd) reader.take(',');
  const fields = reader.fields('');
  if (!reader.atEnd) reader.fail();
  const asyncKind = asyncKinds[sign];
  if (asyncKind) return { kind: asyncKind, className, fields };
  return { kind: 'result', token: start[1] ? Number(start[1]) : undefined, className, fields };
}

/** A field as a string, '' if it is missing or not one. */
export function text(tuple: MiTuple | undefined, name: string): string {
  const value = tuple?.[name];
  return typeof value === 'string' ? value : '';
}

/** A field as a tuple, an empty one if it is missing or not one. */
export function tuple(fields: MiTuple | undefined, name: string): MiTuple {
  const value = fields?.[name];
  return typeof value === 'object' && !Array.isArray(value) ? value : {};
}

/** A field as a list of tuples. */
export function tuples(fields: MiTuple | undefined, name: string): MiTuple[] {
  const value = fields?.[name];
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is MiTuple => typeof item === 'object' && !Array.isArray(item));
}
