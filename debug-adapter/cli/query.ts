/**
 * `chronofork query`: runs a program to its end, asks one question about its
 * past, and prints the answer: a line for each row, or JSON.
 *
 * It is a client of the debug adapter like any other, in the same process. What
 * the program prints goes to standard error, the answer to standard output.
 * Exit code 0: answered; 1: not all of it; 2: refused, with why.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { loadNativeCore } from '../core/nativeCore.js';
import { findProgram, parseNumber } from './verify.js';
import type {
  CallRow,
  CodeLocation,
  DifferenceRow,
  LineHits,
  LogRow,
  QueryBody,
  Timeline,
  ValueRow,
  WriteRow,
} from '../protocol/timeTravel.js';
import { withoutParameters } from '../protocol/functionNames.js';
import { Session } from '../session.js';

type UsageErrorClass = new (message: string) => Error;

interface Options {
  request: string;
  args: Record<string, unknown>;
  fromMs: number | undefined;
  toMs: number | undefined;
  count: number;
  json: boolean;
  program: string;
  programArgs: string[];
}

/** Questions and how many words of their own they take. */
const questions: Record<string, { request: string; takes: string }> = {
  'hit-counts': { request: 'chronofork/hitCounts', takes: 'FILE' },
  values: { request: 'chronofork/valueHistory', takes: 'FILE:LINE EXPRESSION' },
  log: { request: 'chronofork/log', takes: 'FILE:LINE MESSAGE' },
  writes: { request: 'chronofork/writes', takes: 'EXPRESSION' },
  calls: { request: 'chronofork/calls', takes: 'FUNCTION' },
  diff: { request: 'chronofork/diff', takes: '' },
};

/** @throws UsageError */
export function parseQueryOptions(given: string[], UsageError: UsageErrorClass): Options {
  const [kind = '', ...rest] = given;
  const question = Object.hasOwn(questions, kind) ? questions[kind] : undefined;
  if (!question) throw new UsageError(`query needs a question: ${Object.keys(questions).join(', ')}`);
  const end = rest.indexOf('--');
  const [program, ...programArgs] = end < 0 ? [] : rest.slice(end + 1);
  if (!program) throw new UsageError('query needs a program, after --');
  const options: Options = {
    request: question.request,
    args: {},
    fromMs: undefined,
    toMs: undefined,
    count: 1000,
    json: false,
    program,
    programArgs,
  };
  const words: string[] = [];
  const left = rest.slice(0, end);
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (word === '--json') options.json = true;
    else if (word === '--count') options.count = parseNumber(word, left.shift(), UsageError);
    else if (word === '--from') options.fromMs = parseNumber(word, left.shift(), UsageError);
    else if (word === '--to') options.toMs = parseNumber(word, left.shift(), UsageError);
    else if (word === '--stack') options.args.levels = parseNumber(word, left.shift(), UsageError);
    else if (word === '--if') options.args.condition = left.shift();
    else if (word.startsWith('--')) throw new UsageError(`query does not know ${word}`);
    else words.push(word);
  }
  const wanted = question.takes === '' ? 0 : question.takes.split(' ').length;
  if (words.length !== wanted) throw new UsageError(`query ${kind} takes ${question.takes || 'no words'}`.trim());
  Object.assign(options.args, argumentsOf(kind, words, UsageError));
  return options;
}

function argumentsOf(kind: string, words: string[], UsageError: UsageErrorClass): object {
  const [first = '', second = ''] = words;
  if (kind === 'hit-counts') return { source: { path: resolve(first) } };
  if (kind === 'writes') return { expression: first };
  if (kind === 'calls') return { function: first };
  if (kind === 'diff') return {};
  const match = /^(.+):(\d+)$/.exec(first);
  if (!match) throw new UsageError(`"${first}" is no FILE:LINE`);
  const place = { source: { path: resolve(match[1]!) }, line: Number(match[2]) };
  return kind === 'values' ? { ...place, expression: second } : { ...place, message: second };
}

/** As much of a DAP client as is needed: requests in turn, and waiting for one event. */
class Client {
  private readonly input = new PassThrough();
  private readonly answers = new Map<number, (response: DebugProtocol.Response) => void>();
  private readonly waiting: { event: string[]; resolve: (event: DebugProtocol.Event) => void }[] = [];
  private rest = Buffer.alloc(0);
  private seq = 1;
  readonly session: Session;

  constructor(onEnd: () => void) {
    const output = new PassThrough();
    this.session = new Session(loadNativeCore, onEnd);
    output.on('data', (chunk: Buffer) => this.take(chunk));
    this.session.serve(this.input, output);
  }

  request<T>(command: string, args: object = {}): Promise<T> {
    const seq = this.seq++;
    const text = JSON.stringify({ seq, type: 'request', command, arguments: args });
    this.input.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    return new Promise((resolve, reject) =>
      this.answers.set(seq, (response) => {
        if (response.success) resolve(response.body as T);
        else reject(new Error(response.message));
      }),
    );
  }

  /** The next event of one of these names. */
  event(...names: string[]): Promise<DebugProtocol.Event> {
    return new Promise((done) => this.waiting.push({ event: names, resolve: done }));
  }

  private take(chunk: Buffer): void {
    this.rest = Buffer.concat([this.rest, chunk]);
    for (;;) {
      const head = this.rest.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = Number(/Content-Length: (\d+)/.exec(this.rest.toString('latin1', 0, head))?.[1]);
      if (this.rest.length < head + 4 + length) return;
      const text = this.rest.toString('utf8', head + 4, head + 4 + length);
      this.rest = this.rest.subarray(head + 4 + length);
      this.handle(JSON.parse(text) as DebugProtocol.ProtocolMessage);
    }
  }

  private handle(message: DebugProtocol.ProtocolMessage): void {
    if (message.type === 'response') {
      const response = message as DebugProtocol.Response;
      this.answers.get(response.request_seq)?.(response);
      this.answers.delete(response.request_seq);
      return;
    }
    if (message.type !== 'event') return;
    const event = message as DebugProtocol.Event;
    if (event.event === 'output') process.stderr.write((event as DebugProtocol.OutputEvent).body.output);
    for (const one of this.waiting.splice(0))
      if (one.event.includes(event.event)) one.resolve(event);
      else this.waiting.push(one);
  }
}

/** The last checkpoint at or before a time. */
function momentAt({ checkpoints }: Timeline, branch: number, ms: number): number | undefined {
  const earlier = checkpoints.filter(({ moment }) => moment.branch === branch && moment.timeMs <= ms);
  return earlier.reduce<(typeof earlier)[number] | undefined>(
    (last, one) => (!last || one.moment.order > last.moment.order ? one : last),
    undefined,
  )?.moment.id;
}

type Answer = QueryBody & {
  lines?: LineHits[];
  rows?: (ValueRow | LogRow | WriteRow | CallRow | DifferenceRow)[];
  function?: string;
};

function placeText({ function: name, path, line, module }: CodeLocation): string {
  const where = path ? `${path}:${line}` : (module ?? '');
  return [name, where].filter((word) => word).join(' ');
}

function lineOf(row: NonNullable<Answer['rows']>[number], name = ''): string {
  if ('address' in row) return `${row.address} ${row.place}: ${row.oldValue} -> ${row.newValue}`;
  const time = `${row.moment.timeMs.toFixed(3).padStart(12)} ms  `;
  if ('text' in row) return time + row.text;
  if ('value' in row) return time + row.value;
  if ('arguments' in row) {
    const args = row.arguments.map((one) => `${one.name}=${one.value}`).join(', ');
    const end = row.returned ? (row.returnValue === undefined ? '' : ` = ${row.returnValue}`) : '  (did not return)';
    return `${time}${withoutParameters(name)}(${args})${end}`;
  }
  const by = row.by === 'kernel' ? 'by a system call ' : '';
  const stack = (row.stack ?? []).map((frame) => `\n${' '.repeat(17)}${placeText(frame)}`).join('');
  return `${time}${row.oldValue} -> ${row.newValue}  ${by}${placeText(row.location)}${stack}`;
}

function print(answer: Answer, json: boolean): void {
  if (json) return void process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
  for (const { line, count } of answer.lines ?? [])
    process.stdout.write(`${String(count).padStart(12)}  line ${line}\n`);
  for (const row of answer.rows ?? []) process.stdout.write(`${lineOf(row, answer.function)}\n`);
  if (answer.more) process.stderr.write(`chronofork query: ${answer.total} rows in all; --count shows more\n`);
  if (answer.message) process.stderr.write(`chronofork query: ${answer.message}\n`);
}

export async function queryCommand(given: string[], UsageError: UsageErrorClass): Promise<number> {
  const options = parseQueryOptions(given, UsageError);
  let ended: () => void = () => undefined;
  const over = new Promise<void>((done) => (ended = done));
  const client = new Client(() => ended());
  try {
    await client.request('initialize', { adapterID: 'chronofork', linesStartAt1: true, columnsStartAt1: true });
    const initialized = client.event('initialized');
    await client.request('launch', { program: findProgram(options.program), args: options.programArgs });
    await initialized;
    const stopped = client.event('stopped', 'terminated');
    await client.request('configurationDone');
    await stopped;
    const timeline = await client.request<Timeline>('chronofork/timeline');
    const moment = (ms: number | undefined) =>
      ms === undefined ? undefined : momentAt(timeline, timeline.end.branch, ms);
    const isDiff = options.request === 'chronofork/diff';
    const from = moment(options.fromMs) ?? (isDiff ? timeline.begin.id : undefined);
    const to = moment(options.toMs) ?? (isDiff ? timeline.end.id : undefined);
    const answer = await client.request<Answer>(options.request, {
      ...options.args,
      count: options.count,
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    });
    print(answer, options.json);
    return answer.complete && !answer.more ? 0 : 1;
  } finally {
    await client.request('disconnect', { terminateDebuggee: true }).catch(() => undefined);
    await over;
  }
}
