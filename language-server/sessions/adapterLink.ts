/**
 * The connection to one debug session: requests with their answers, and what
 * the session tells. Knows the framing of the DAP, and nothing of what is asked.
 */
import { createConnection, type Socket } from 'node:net';
import type { ArgumentsOf, ResponseOf, TimeTravelRequest } from '../../debug-adapter/protocol/timeTravel.js';

interface Message {
  readonly type: 'response' | 'event' | 'request';
  readonly event?: string;
  readonly body?: unknown;
  readonly request_seq?: number;
  readonly success?: boolean;
  readonly message?: string;
}

/** A request that the session did not carry out; `code` is stable (docs/protocol.md). */
export class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** What ends a request before its time; LSP's own tokens are such. */
export interface CancelToken {
  readonly isCancellationRequested: boolean;
  onCancellationRequested(listener: () => void): { dispose(): void };
}

export interface Progress {
  /** The request's number. */
  readonly requestId: number;
  readonly title: string;
}

const headerEnd = '\r\n\r\n';

export class AdapterLink {
  onEvent: (event: string, body: unknown) => void = () => undefined;
  onGone: () => void = () => undefined;
  private received = Buffer.alloc(0);
  private sequence = 1;
  private readonly answers = new Map<number, (message: Message) => void>();
  private gone = false;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (data: Buffer) => this.receive(data));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.lost());
  }

  /** @throws Error when nobody is there */
  static async connect(path: string): Promise<AdapterLink> {
    const socket = createConnection(path);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new AdapterLink(socket);
  }

  timeTravel<R extends TimeTravelRequest>(
    command: R,
    args: ArgumentsOf<R>,
    token?: CancelToken,
  ): Promise<ResponseOf<R>> {
    return this.request<ResponseOf<R>>(command, args, token);
  }

  /** @throws Refused */
  async request<T>(command: string, args: object, token?: CancelToken): Promise<T> {
    if (this.gone) throw new Refused('notLaunched', 'The debug session has ended.');
    if (token?.isCancellationRequested) throw new Refused('cancelled', 'Cancelled.');
    const seq = this.sequence++;
    const answered = new Promise<Message>((resolve) => this.answers.set(seq, resolve));
    this.send({ seq, type: 'request', command, arguments: args });
    const ending = token?.onCancellationRequested(() =>
      this.send({ seq: this.sequence++, type: 'request', command: 'cancel', arguments: { requestId: seq } }),
    );
    const message = await answered.finally(() => ending?.dispose());
    if (message.success) return message.body as T;
    const error = (message.body as { error?: { variables?: { code?: string } } } | undefined)?.error;
    throw new Refused(error?.variables?.code ?? 'unknown', message.message ?? 'The debugger refused.');
  }

  close(): void {
    this.socket.destroy();
  }

  private send(message: object): void {
    if (this.gone) return;
    const text = JSON.stringify(message);
    this.socket.write(`Content-Length: ${Buffer.byteLength(text)}${headerEnd}${text}`);
  }

  private receive(data: Buffer): void {
    this.received = Buffer.concat([this.received, data]);
    for (;;) {
      const end = this.received.indexOf(headerEnd);
      if (end < 0) return;
      const length = Number(/Content-Length: (\d+)/i.exec(this.received.toString('latin1', 0, end))?.[1]);
      const start = end + headerEnd.length;
      if (!Number.isInteger(length)) return this.socket.destroy() && undefined;
      if (this.received.length < start + length) return;
      const text = this.received.toString('utf8', start, start + length);
      this.received = this.received.subarray(start + length);
      this.dispatch(JSON.parse(text) as Message);
    }
  }

  private dispatch(message: Message): void {
    if (message.type === 'event') {
      this.onEvent(message.event ?? '', message.body);
    } else if (message.type === 'response' && message.request_seq !== undefined) {
      this.answers.get(message.request_seq)?.(message);
      this.answers.delete(message.request_seq);
    }
  }

  private lost(): void {
    if (this.gone) return;
    this.gone = true;
    const body = { error: { variables: { code: 'notLaunched' } } };
    for (const answer of this.answers.values())
      answer({ type: 'response', success: false, message: 'The debug session has ended.', body });
    this.answers.clear();
    this.onGone();
  }
}
