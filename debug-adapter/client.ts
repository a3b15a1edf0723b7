/**
 * What handlers may say to the client: events, output, reverse requests,
 * progress. One interface, so that tests can listen in.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';

export interface Client {
  /** The arguments of `initialize`. */
  readonly capabilities: DebugProtocol.InitializeRequestArguments;
  send(event: string, body?: unknown): void;
  /** @throws ChronoforkError when the client refuses or is silent for too long */
  request<T>(command: string, args: unknown, timeout_ms?: number): Promise<T>;
}

export type OutputCategory = 'console' | 'important' | 'stdout' | 'stderr';

export function sendOutput(client: Client, category: OutputCategory, text: string): void {
  if (text !== '') client.send('output', { category, output: text } satisfies DebugProtocol.OutputEvent['body']);
}
