/**
 * The language server's client: starts it, tells it what the person looks at,
 * and shows what plain LSP has no place for (lineDecorations.ts, listView.ts).
 * A bundle of its own, loaded with the first session (history.ts).
 */
import * as vscode from 'vscode';
import { LanguageClient, TransportKind, type LanguageClientOptions } from 'vscode-languageclient/node.js';
import type { SessionState } from '../../debug-adapter/protocol/timeTravel.js';
import {
  defaultSettings,
  followMethod,
  lineCountsMethod,
  listMethod,
  type Follow,
  type HistoryClientOptions,
  type HistoryList,
  type HistorySettings,
  type LineCounts,
} from '../../language-server/protocol/historyProtocol.js';
import { LineDecorations } from './lineDecorations.js';
import { HistoryListView } from './listView.js';

/** The same as in launch.json's `debuggers`. */
const languages = ['c', 'cpp', 'rust'];
const debugType = 'chronofork';
const section = 'chronofork.history';

const options: HistoryClientOptions = { lineCounts: true, lists: true, follows: true, commandLinks: true };

export class HistoryClient {
  private readonly client: LanguageClient;
  private readonly decorations = new LineDecorations();
  private readonly list = new HistoryListView();
  private readonly adapters = new Map<string, number>();
  /** What goes with this client, whether its server could be started or not. */
  private readonly subscriptions: vscode.Disposable[] = [this.decorations, this.list];

  /** @param commandLine  the bundle of `chronofork` */
  constructor(commandLine: string) {
    const run = {
      command: process.execPath,
      args: [commandLine, 'lsp'],
      transport: TransportKind.stdio,
      options: { env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' } },
    };
    const clientOptions: LanguageClientOptions = {
      documentSelector: languages.map((language) => ({ scheme: 'file', language })),
      initializationOptions: { ...options, settings: settings() } satisfies HistoryClientOptions,
      markdown: { isTrusted: { enabledCommands: ['chronofork.history.goToMoment'] } },
      outputChannelName: 'Chronofork History',
      middleware: {
        workspace: {
          configuration: ({ items }) => items.map((item) => (item.section === section ? settings() : null)),
        },
      },
    };
    this.client = new LanguageClient(section, 'Chronofork History', run, clientOptions);
  }

  async start(): Promise<void> {
    this.client.onNotification(lineCountsMethod, (counts: LineCounts) => this.decorations.show(counts));
    this.client.onNotification(listMethod, (list: HistoryList) => this.list.show(list));
    await this.client.start();
    const follow = () => void this.follow().catch(() => undefined);
    this.subscriptions.push(
      vscode.debug.onDidChangeActiveDebugSession(follow),
      vscode.debug.onDidChangeActiveStackItem(follow),
      // The first event of a session says that its program has been started.
      vscode.debug.onDidReceiveDebugSessionCustomEvent(({ session }) => {
        if (session.type === debugType && !this.adapters.has(session.id)) follow();
      }),
      vscode.workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration(section) || change.affectsConfiguration('debug.inlineValues'))
          void this.client.sendNotification('workspace/didChangeConfiguration', { settings: null });
      }),
    );
    follow();
  }

  async stop(): Promise<void> {
    vscode.Disposable.from(...this.subscriptions.splice(0)).dispose();
    // One that could not be started refuses to be stopped; it has nothing to stop.
    if (this.client.needsStop()) await this.client.dispose();
  }

  /** Tells the server the active session, thread and stack frame. */
  private async follow(): Promise<void> {
    const session = vscode.debug.activeDebugSession;
    const adapter = session?.type === debugType ? await this.adapterOf(session) : undefined;
    const item = vscode.debug.activeStackItem;
    const own = adapter !== undefined && item?.session.id === session?.id ? item : undefined;
    const followed: Follow = {
      ...(adapter === undefined ? {} : { adapter }),
      ...(own ? { threadId: own.threadId } : {}),
      ...(own instanceof vscode.DebugStackFrame ? { frameId: own.frameId } : {}),
    };
    await this.client.sendNotification(followMethod, followed);
  }

  private async adapterOf(session: vscode.DebugSession): Promise<number | undefined> {
    const known = this.adapters.get(session.id);
    if (known !== undefined) return known;
    try {
      const { adapter } = (await session.customRequest('chronofork/session')) as SessionState;
      this.adapters.set(session.id, adapter);
      return adapter;
    } catch {
      return undefined; // it has not begun: its first event asks again
    }
  }
}

/** As the server takes them: whether VS Code shows values itself is known here only. */
function settings(): HistorySettings {
  const own = vscode.workspace.getConfiguration(section);
  const values = own.get<'auto' | 'on' | 'off'>('values', 'auto');
  const inline = vscode.workspace.getConfiguration('debug').get<unknown>('inlineValues');
  const doubled = inline === 'on' || inline === true;
  return {
    codeLens: own.get('codeLens', defaultSettings.codeLens),
    lineCounts: own.get('lineCounts', defaultSettings.lineCounts),
    values: values === 'on' || (values === 'auto' && !doubled),
    hover: own.get('hover', defaultSettings.hover),
    crashes: own.get('crashes', defaultSettings.crashes),
    countAutomaticallySeconds: own.get('countAutomaticallySeconds', defaultSettings.countAutomaticallySeconds),
  };
}
