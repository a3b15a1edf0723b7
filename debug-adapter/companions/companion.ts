/**
 * One further client of a session, beside the one that owns it: the language
 * server, or any tool that shows its history. It speaks DAP-framed messages on
 * a connection of its own, hears where the session stands, and may ask about
 * the past and go to a moment. It can change nothing.
 *
 * Easy to get wrong: the numbers of its requests are its own. Where the session
 * knows a request by its number (to cancel it), those of companions are moved
 * to a range that no other client uses.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { Event } from '@vscode/debugadapter';
import { ProtocolServer } from '@vscode/debugadapter/lib/protocol.js';
import { pipeline } from 'node:stream';
import type { Socket } from 'node:net';
import type { Client } from '../client.js';
import { ChronoforkError } from '../errors.js';
import { StrictFraming } from '../strictFraming.js';
import type { RightOfWay } from './rightOfWay.js';

/** Carried out between the client's requests. */
const questions = new Set([
  'threads',
  'stackTrace',
  'scopes',
  'variables',
  'evaluate',
  'exceptionInfo',
  'chronofork/functions',
  'chronofork/hitCounts',
  'chronofork/valueHistory',
  'chronofork/log',
  'chronofork/writes',
  'chronofork/calls',
  'chronofork/diff',
]);

/** Answered from what is known: whenever they come. */
const always = new Set(['chronofork/session', 'chronofork/timeline', 'chronofork/present', 'cancel']);

/** What the session tells its companions too; the rest is for those who own it. */
const heard = new Set(['stopped', 'continued', 'invalidated', 'terminated', 'exited', 'chronofork/timelineChanged']);

/** What is about a companion's own request. */
const ownEvents = new Set(['progressStart', 'progressUpdate', 'progressEnd']);

/** More requests than any client makes in a session. */
const numbersApart = 2 ** 32;

/** Whether a request of that number is a companion's. */
export function isCompanions(requestId: number): boolean {
  return requestId >= numbersApart;
}

/** What a companion needs of the session that it belongs to. */
export interface Host {
  readonly rightOfWay: RightOfWay;
  /** Tells all clients of the session. */
  tell(event: string, body: unknown): void;
  /** Carries out a request on behalf of `client`, which knows it by `requestId`. */
  answer(client: Client, requestId: number, request: DebugProtocol.Request): Promise<DebugProtocol.Response>;
  refuse(request: DebugProtocol.Request, error: ChronoforkError): DebugProtocol.Response;
}

let companions = 0;

export class Companion extends ProtocolServer implements Client {
  readonly capabilities: DebugProtocol.InitializeRequestArguments = {
    adapterID: 'chronofork',
    supportsProgressReporting: true,
    supportsInvalidatedEvent: true,
  };
  private readonly firstNumber = ++companions * numbersApart;
  /** Cancelled before their turn has come. */
  private readonly waiting = new Map<number, { cancelled: boolean }>();

  constructor(
    private readonly host: Host,
    private readonly connection: Socket,
  ) {
    super();
    const framed = new StrictFraming();
    pipeline(connection, framed, () => connection.destroy());
    this.on('error', () => connection.destroy());
    this.start(framed, connection);
  }

  hear(event: string, body: unknown): void {
    if (heard.has(event)) this.sendEvent(new Event(event, body));
  }

  /** What a handler says to the client of its request: its progress is the companion's, anything else is for all. */
  send(event: string, body?: unknown): void {
    if (ownEvents.has(event)) this.sendEvent(new Event(event, this.withOwnNumber(body as object)));
    else this.host.tell(event, body);
  }

  request<T>(command: string): Promise<T> {
    return Promise.reject(new ChronoforkError('unknownRequest', `A companion cannot be asked for "${command}".`));
  }

  close(): void {
    this.connection.end();
  }

  protected override dispatchRequest(request: DebugProtocol.Request): void {
    void this.handle(request).then((response) => this.sendResponse(response));
  }

  private handle(request: DebugProtocol.Request): Promise<DebugProtocol.Response> {
    const { command } = request;
    if (command === 'cancel') return this.cancel(request);
    if (command === 'evaluate') (request.arguments as DebugProtocol.EvaluateArguments).context = 'hover';
    const answer = () => this.host.answer(this, this.firstNumber + request.seq, request);
    if (always.has(command)) return answer();
    if (command === 'chronofork/seek') return this.host.rightOfWay.first(answer);
    if (questions.has(command)) return this.inTurn(request, answer);
    const why = `"${command}" is for the client that owns the session.`;
    return Promise.resolve(this.host.refuse(request, new ChronoforkError('unknownRequest', why)));
  }

  private inTurn(
    request: DebugProtocol.Request,
    answer: () => Promise<DebugProtocol.Response>,
  ): Promise<DebugProtocol.Response> {
    const state = { cancelled: false };
    this.waiting.set(request.seq, state);
    return this.host.rightOfWay.aside(async () => {
      this.waiting.delete(request.seq);
      if (!state.cancelled && !this.connection.destroyed) return answer();
      return this.host.refuse(request, new ChronoforkError('cancelled', 'Cancelled.'));
    });
  }

  /** Only its own: what others have begun is none of its business. */
  private async cancel(request: DebugProtocol.Request): Promise<DebugProtocol.Response> {
    const { requestId } = (request.arguments ?? {}) as DebugProtocol.CancelArguments;
    if (requestId === undefined)
      return this.host.refuse(request, new ChronoforkError('invalidArguments', 'cancel needs a "requestId".'));
    const waiting = this.waiting.get(requestId);
    if (waiting) waiting.cancelled = true;
    const own = { ...request, arguments: { requestId: this.firstNumber + requestId } };
    return this.host.answer(this, this.firstNumber + request.seq, own);
  }

  private withOwnNumber(body: { requestId?: number }): object {
    return body.requestId === undefined ? body : { ...body, requestId: body.requestId - this.firstNumber };
  }
}
