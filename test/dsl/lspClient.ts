/**
 * A plain client of the language server, as any editor has one: it knows
 * nothing of VS Code. What the server tells is kept until somebody looks.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  createMessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
  type CodeAction,
  type CodeLens,
  type Diagnostic,
  type Hover,
  type InlayHint,
  type MessageConnection,
} from 'vscode-languageserver-protocol/node.js';
import { root } from '../../scripts/lib/run.mjs';
import type { HistoryClientOptions } from '../../language-server/protocol/historyProtocol.js';

/** Counting begins after a rest, and other work may keep the machine. */
const patience_ms = 20_000;

export class LspClient {
  readonly child: ChildProcessWithoutNullStreams;
  readonly messages: string[] = [];
  readonly diagnostics = new Map<string, Diagnostic[]>();
  /** How often the client was asked to ask again. */
  readonly refreshes: Record<string, number> = {};
  readonly notifications: { method: string; params: unknown }[] = [];
  readonly progress: unknown[] = [];
  private readonly connection: MessageConnection;

  /** @param env  of the journey, so that its processes are found */
  constructor(env: NodeJS.ProcessEnv = {}) {
    const cli = path.join(root, 'debug-adapter/cli.ts');
    this.child = spawn(process.execPath, ['--import', 'tsx', cli, 'lsp'], { env: { ...process.env, ...env } });
    this.child.stderr.on('data', (data: Buffer) => this.messages.push(data.toString()));
    this.connection = createMessageConnection(
      new StreamMessageReader(this.child.stdout),
      new StreamMessageWriter(this.child.stdin),
    );
    this.connection.onNotification(
      'textDocument/publishDiagnostics',
      (params: { uri: string; diagnostics: Diagnostic[] }) => this.diagnostics.set(params.uri, params.diagnostics),
    );
    this.connection.onNotification('window/showMessage', ({ message }: { message: string }) =>
      this.messages.push(message),
    );
    this.connection.onNotification('window/logMessage', ({ message }: { message: string }) =>
      this.messages.push(message),
    );
    this.connection.onRequest('window/workDoneProgress/create', () => null);
    this.connection.onNotification((method, params) => this.notifications.push({ method, params }));
    this.connection.onUnhandledProgress((params) => this.progress.push(params.value));
    for (const kind of ['codeLens', 'inlayHint'])
      this.connection.onRequest(`workspace/${kind}/refresh`, () => {
        this.refreshes[kind] = (this.refreshes[kind] ?? 0) + 1;
        return null;
      });
    this.connection.listen();
  }

  async initialize(options: HistoryClientOptions = {}): Promise<void> {
    await this.connection.sendRequest('initialize', {
      processId: process.pid,
      rootUri: pathToFileURL(root).href,
      initializationOptions: options,
      capabilities: {
        workspace: { codeLens: { refreshSupport: true }, inlayHint: { refreshSupport: true } },
        textDocument: { codeLens: {} },
        window: { workDoneProgress: true },
      },
    });
    await this.connection.sendNotification('initialized', {});
  }

  async open(file: string, text = readFileSync(file, 'utf8')): Promise<string> {
    const uri = pathToFileURL(file).href;
    await this.connection.sendNotification('textDocument/didOpen', {
      textDocument: { uri, languageId: 'c', version: 1, text },
    });
    return uri;
  }

  async edit(uri: string, version: number, text: string): Promise<void> {
    await this.notify('textDocument/didChange', { textDocument: { uri, version }, contentChanges: [{ text }] });
  }

  notify(method: string, params: object): Promise<void> {
    return this.connection.sendNotification(method, params);
  }

  lenses(uri: string): Promise<CodeLens[]> {
    return this.connection.sendRequest('textDocument/codeLens', { textDocument: { uri } });
  }

  hints(uri: string): Promise<InlayHint[]> {
    const range = { start: { line: 0, character: 0 }, end: { line: 10_000, character: 0 } };
    return this.connection.sendRequest('textDocument/inlayHint', { textDocument: { uri }, range });
  }

  /** The hints' texts by line, from 1 on. */
  async hintsByLine(uri: string): Promise<Record<number, string[]>> {
    const found: Record<number, string[]> = {};
    for (const { position, label } of await this.hints(uri)) (found[position.line + 1] ??= []).push(String(label));
    return found;
  }

  hover(uri: string, line: number, character: number): Promise<Hover | null> {
    const position = { line: line - 1, character };
    return this.connection.sendRequest('textDocument/hover', { textDocument: { uri }, position });
  }

  actions(uri: string, line: number, character: number): Promise<CodeAction[]> {
    const at = { line: line - 1, character };
    return this.connection.sendRequest('textDocument/codeAction', {
      textDocument: { uri },
      range: { start: at, end: at },
      context: { diagnostics: [] },
    });
  }

  execute<T>(command: string, argument: unknown): Promise<T> {
    return this.connection.sendRequest('workspace/executeCommand', { command, arguments: [argument] });
  }

  /** Runs the command of a lens or an action with that title. */
  run<T>(offered: readonly (CodeLens | CodeAction)[], title: string, line?: number): Promise<T> {
    const found = offered.find(
      (one) =>
        typeof one.command === 'object' &&
        one.command.title === title &&
        (line === undefined || !('range' in one) || one.range.start.line === line - 1),
    );
    if (typeof found?.command !== 'object')
      throw new Error(
        `"${title}" is not offered, but ${offered.map(({ command }) => JSON.stringify(command)).join(', ')}`,
      );
    return this.execute<T>(found.command.command, found.command.arguments?.[0]);
  }

  /** Asks until the answer is right. @throws Error with the last answer */
  async until<T>(what: string, ask: () => Promise<T> | T, isRight: (answer: T) => boolean): Promise<T> {
    const deadline = Date.now() + patience_ms;
    for (;;) {
      const answer = await ask();
      if (isRight(answer)) return answer;
      if (Date.now() > deadline)
        throw new Error(
          `waited in vain until ${what}; the last answer: ${JSON.stringify(answer)}; ${this.messages.join('; ')}`,
        );
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** As an editor ends it; resolves with its exit code. */
  async close(): Promise<number | null> {
    const exited = new Promise<number | null>((resolve) => this.child.once('exit', resolve));
    await this.connection.sendRequest('shutdown');
    await this.connection.sendNotification('exit');
    const code = await exited;
    this.connection.dispose();
    return code;
  }
}
