/**
 * The language server: takes each request of the Language Server Protocol to
 * the feature that answers it, and tells the client when what it shows has
 * become untrue. Knows which document, session and settings are meant; what is
 * answered is in features/.
 *
 *     editor ──LSP──▶ server.ts ──▶ features/ ──▶ sessions/ ──companion──▶ debug adapter
 *
 * Easy to get wrong: a request that comes while the program runs is answered
 * with nothing, at once; the stop that follows asks the client to ask again.
 */
import {
  TextDocuments,
  TextDocumentSyncKind,
  type CancellationToken,
  type CodeAction,
  type CodeLens,
  type Connection,
  type Hover,
  type InitializeParams,
  type InitializeResult,
  type InlayHint,
  type MessageType,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { version } from '../debug-adapter/version.js';
import { codeActionsAt } from './features/codeActions.js';
import { disagreement, functionLenses, countingLens } from './features/codeLenses.js';
import { askedAt, historyHover } from './features/hover.js';
import { countHints, valueHints } from './features/inlayHints.js';
import { LineCounter } from './features/lineCounts.js';
import { presentFrame, type PresentFrame } from './features/presentFrame.js';
import { Commands } from './commands.js';
import { Findings } from './findings.js';
import { ProgressReports } from './progressReports.js';
import {
  defaultSettings,
  followMethod,
  historyCommands,
  lineCountsMethod,
  listMethod,
  type Follow,
  type HistoryClientOptions,
  type HistoryList,
  type HistorySettings,
  type LineCounts,
} from './protocol/historyProtocol.js';
import { Refused } from './sessions/adapterLink.js';
import type { LiveSession } from './sessions/liveSession.js';
import { Sessions } from './sessions/sessions.js';
import { agreement, pathOf } from './source/documents.js';

/** A step takes about so long: hints that go and come back within it would flicker. */
const stepTakes_ms = 60;

/** A document whose lines are those that the session's program was built from. */
export interface Shown {
  readonly document: TextDocument;
  readonly path: string;
  readonly session: LiveSession;
}

export class HistoryServer {
  readonly documents = new TextDocuments(TextDocument);
  readonly sessions = new Sessions();
  readonly counter = new LineCounter(() => this.settings.countAutomaticallySeconds);
  settings: HistorySettings = defaultSettings;
  options: HistoryClientOptions = {};
  private capabilities: InitializeParams['capabilities'] = {};
  private readonly commands = new Commands(this);
  private readonly findings = new Findings(this);
  private readonly progress: ProgressReports;
  private leaving: NodeJS.Timeout | undefined;
  /** The lenses that the client was last given, of each document that it has asked for. */
  private readonly givenLenses = new Map<string, string>();

  constructor(readonly connection: Connection) {
    this.progress = new ProgressReports(connection);
    connection.onInitialize((params) => this.initialize(params));
    connection.onInitialized(() => this.begin());
    connection.onShutdown(() => this.sessions.stop());
    connection.onDidChangeConfiguration(({ settings }) => void this.configure(settings));
    connection.onNotification(followMethod, (follow: Follow) => this.sessions.follow(follow));
    connection.onCodeLens(({ textDocument }, token) => this.giveLenses(textDocument.uri, token));
    connection.onHover(({ textDocument, position }, token) =>
      this.quietly(null, () => this.hover(textDocument.uri, position, token)),
    );
    connection.languages.inlayHint.on(({ textDocument }, token) =>
      this.quietly([], () => this.inlayHints(textDocument.uri, token)),
    );
    connection.onCodeAction(({ textDocument, range }, token) =>
      this.quietly([], () => this.codeActions(textDocument.uri, range, token)),
    );
    connection.onExecuteCommand(({ command, arguments: args }, token) => this.commands.run(command, args?.[0], token));
    this.documents.onDidOpen(({ document }) => this.documentChanged(document));
    this.documents.onDidClose(({ document }) => this.givenLenses.delete(document.uri));
    this.documents.onDidSave(({ document }) => this.documentChanged(document));
    this.documents.onDidChangeContent(({ document }) => this.documentEdited(document));
    this.documents.listen(connection);
  }

  /** Ends everything that keeps the process alive. */
  stop(): void {
    clearTimeout(this.leaving);
    this.sessions.stop();
  }

  /** What is shown of a document; undefined where no session knows it, or its text is not the program's. */
  async shown(uri: string, token?: CancellationToken): Promise<Shown | undefined> {
    const document = this.documents.get(uri);
    const path = pathOf(uri);
    if (!document || path === undefined) return undefined;
    const session = await this.sessions.sessionFor(path, token);
    if (!session || agreement(document, path, session.program) !== 'same') return undefined;
    return { document, path, session };
  }

  /** A sentence for the person, without a question. */
  tell(type: MessageType, message: string): void {
    void this.connection.sendNotification('window/showMessage', { type, message });
  }

  /** Shows what was asked for, in the client's way. */
  showList(uri: string, line: number, list: HistoryList): void {
    if (this.options.lists) void this.connection.sendNotification(listMethod, list);
    else this.findings.addList(uri, line, list);
  }

  private initialize(params: InitializeParams): InitializeResult {
    this.capabilities = params.capabilities;
    this.options = (params.initializationOptions ?? {}) as HistoryClientOptions;
    this.settings = { ...defaultSettings, ...this.options.settings };
    return {
      serverInfo: { name: 'chronofork', version: version() },
      capabilities: {
        textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental, save: true },
        codeLensProvider: {},
        hoverProvider: true,
        inlayHintProvider: true,
        codeActionProvider: { codeActionKinds: [] },
        executeCommandProvider: { commands: [...historyCommands] },
      },
    };
  }

  private begin(): void {
    this.progress.possible = this.capabilities.window?.workDoneProgress === true;
    this.sessions.onChange = (session) => this.sessionChanged(session);
    this.sessions.onProgress = (event, body) => this.progress.hear(event, body);
    this.counter.onChange = (path) => this.counted(path);
    this.sessions.start(this.options.follows === true);
    void this.configure(undefined);
  }

  private async configure(pushed: unknown): Promise<void> {
    const own = this.capabilities.workspace?.configuration
      ? ((await this.connection.workspace.getConfiguration('chronofork.history')) as Partial<HistorySettings> | null)
      : (pushed as { chronofork?: { history?: Partial<HistorySettings> } } | undefined)?.chronofork?.history;
    this.settings = { ...defaultSettings, ...this.options.settings, ...own };
    this.refresh();
    for (const document of this.documents.all()) this.documentChanged(document);
  }

  // -- What the client asks ------------------------------------------------------------------

  private async giveLenses(uri: string, token: CancellationToken): Promise<CodeLens[]> {
    const lenses = await this.quietly([], () => this.codeLenses(uri, token));
    this.givenLenses.set(uri, JSON.stringify(lenses));
    return lenses;
  }

  private async codeLenses(uri: string, token?: CancellationToken): Promise<CodeLens[]> {
    const document = this.documents.get(uri);
    const path = pathOf(uri);
    if (!this.settings.codeLens || !document || path === undefined) return [];
    const session = await this.sessions.sessionFor(path, token);
    if (!session) return [];
    const agrees = agreement(document, path, session.program);
    if (agrees !== 'same') return disagreement(agrees);
    const counts = this.counter.known(session, path);
    if (counts) return functionLenses(uri, counts);
    return this.counter.isLeftToPerson(session, path) ? countingLens(uri, session, path) : [];
  }

  private async inlayHints(uri: string, token: CancellationToken): Promise<InlayHint[]> {
    const shown = await this.shown(uri, token);
    if (!shown) return [];
    const { document, path, session } = shown;
    const values =
      this.settings.values && session.view
        ? await valueHints(session, this.sessions.frameIn(session), document, path, token).catch(() => [])
        : [];
    const counts = this.counter.known(session, path);
    const drawn = this.options.lineCounts === true || !this.settings.lineCounts || !counts;
    return drawn ? values : [...countHints(document, counts), ...values];
  }

  private async hover(
    uri: string,
    position: { line: number; character: number },
    token: CancellationToken,
  ): Promise<Hover | null> {
    const shown = this.settings.hover ? await this.shown(uri, token) : undefined;
    if (!shown?.session.view) return null;
    const { document, path, session } = shown;
    const asked = await askedAt(session, this.sessions.frameIn(session), document, path, position, token);
    if (!asked || !(await this.isShort(session))) return null;
    return (await historyHover(session, path, asked, this.options.commandLinks === true, token)) ?? null;
  }

  private async codeActions(
    uri: string,
    range: { start: { line: number; character: number }; end: { line: number; character: number } },
    token: CancellationToken,
  ): Promise<CodeAction[]> {
    const shown = await this.shown(uri, token);
    if (!shown?.session.view) return [];
    const lenses = this.capabilities.textDocument?.codeLens !== undefined;
    return codeActionsAt(shown, this.sessions.frameIn(shown.session), uri, range, lenses, token);
  }

  /** What nobody has asked for by name may not take long. */
  private async isShort(session: LiveSession): Promise<boolean> {
    const { end } = await session.inView('timeline', () => session.ask('chronofork/timeline', {}));
    return end.timeMs <= this.settings.countAutomaticallySeconds * 1000;
  }

  /** What is shown in passing tells no errors: a stop that has gone by, an expression without a value. */
  private async quietly<T>(nothing: T, answer: () => Promise<T>): Promise<T> {
    try {
      return await answer();
    } catch (error) {
      if (!(error instanceof Refused)) this.connection.console.error(String(error));
      return nothing;
    }
  }

  // -- What the client is told ---------------------------------------------------------------

  /** Everything that is about the present is untrue now. */
  private sessionChanged(session: LiveSession | undefined): void {
    clearTimeout(this.leaving);
    if (session && !session.view && this.sessions.byAdapter(session.adapter))
      this.leaving = setTimeout(() => this.present(), stepTakes_ms);
    else this.present();
  }

  private present(): void {
    this.refresh();
    for (const document of this.documents.all()) void this.sendCounts(document.uri);
    for (const session of this.sessions.inSight) if (session.view) this.countOpenFiles(session);
    void this.findings.update();
  }

  private countOpenFiles(session: LiveSession): void {
    if (!this.settings.codeLens && !this.settings.lineCounts) return;
    for (const document of this.documents.all()) {
      const path = pathOf(document.uri);
      if (path === undefined) continue;
      void this.shown(document.uri).then((shown) => {
        if (shown?.session === session) this.counter.countSoon(session, path);
      });
    }
  }

  private counted(path: string): void {
    this.refresh();
    for (const document of this.documents.all()) if (pathOf(document.uri) === path) void this.sendCounts(document.uri);
  }

  private documentChanged(document: TextDocument): void {
    void this.sendCounts(document.uri);
    void this.shown(document.uri).then((shown) => {
      if (shown?.session.view && (this.settings.codeLens || this.settings.lineCounts))
        this.counter.countSoon(shown.session, shown.path);
    });
  }

  /** Its lines are the program's no more, or again. */
  private documentEdited(document: TextDocument): void {
    if (this.sessions.inSight.length === 0) return;
    void this.sendCounts(document.uri);
    this.findings.clear(document.uri);
  }

  private async sendCounts(uri: string): Promise<void> {
    if (!this.options.lineCounts) return;
    const shown = this.settings.lineCounts ? await this.shown(uri).catch(() => undefined) : undefined;
    const counts = shown && this.counter.known(shown.session, shown.path);
    const lines = [...(counts?.lines ?? [])].map(([line, count]) => ({ line: line - 1, count }));
    const frame = counts && (await this.frameOf(shown).catch(() => undefined));
    const present = frame && frame.path === shown.path ? { present: frame.line - 1 } : {};
    await this.connection.sendNotification(lineCountsMethod, { uri, lines, ...present } satisfies LineCounts);
  }

  private async frameOf({ session }: Shown): Promise<PresentFrame | undefined> {
    return session.view ? presentFrame(session, this.sessions.frameIn(session)) : undefined;
  }

  private refresh(): void {
    if (this.capabilities.workspace?.codeLens?.refreshSupport) void this.refreshLenses();
    if (this.capabilities.workspace?.inlayHint?.refreshSupport)
      void this.connection.sendRequest('workspace/inlayHint/refresh').catch(() => undefined);
  }

  /**
   * Lenses are the same at most stops. An editor that gets them anew draws them
   * anew, and a click on one that is being replaced is lost.
   */
  private async refreshLenses(): Promise<void> {
    for (const [uri, given] of [...this.givenLenses]) {
      const now = await this.quietly([], () => this.codeLenses(uri));
      if (JSON.stringify(now) === given) continue;
      await this.connection.sendRequest('workspace/codeLens/refresh').catch(() => undefined);
      return;
    }
  }
}
