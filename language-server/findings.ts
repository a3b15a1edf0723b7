/**
 * Diagnostics: a crash with the chain that led to it, and for clients that show
 * no lists what was asked for last. They go when the program goes on.
 */
import { DiagnosticSeverity, type Diagnostic, type Location } from 'vscode-languageserver';
import { pathToFileURL } from 'node:url';
import { crashAt, type Crash } from './features/crash.js';
import { shortened } from './features/words.js';
import type { HistoryList } from './protocol/historyProtocol.js';
import type { HistoryServer } from './server.js';

/** Of a list that is told in a diagnostic. */
const rowsInDiagnostic = 20;

function location(path: string, line: number): Location {
  const start = { line: line - 1, character: 0 };
  return { uri: pathToFileURL(path).href, range: { start, end: { line: line - 1, character: 1000 } } };
}

export class Findings {
  private readonly crashes = new Map<string, Diagnostic[]>();
  private readonly lists = new Map<string, Diagnostic[]>();
  private round = 0;

  constructor(private readonly server: HistoryServer) {}

  /** Looks again, after something has changed. */
  async update(): Promise<void> {
    const round = ++this.round;
    const former = [...this.crashes.keys()];
    this.crashes.clear();
    // At once: what is found takes a moment, and belongs to another one.
    for (const uri of former) this.send(uri);
    const found = this.server.settings.crashes ? await this.look() : [];
    if (round !== this.round) return;
    for (const crash of found) {
      const { uri } = location(crash.path, crash.line);
      this.crashes.set(uri, [...(this.crashes.get(uri) ?? []), diagnosticOf(crash)]);
    }
    const gone = this.server.sessions.inSight.length === 0 ? [...this.lists.keys()] : [];
    for (const uri of gone) this.lists.delete(uri);
    for (const uri of new Set([...gone, ...this.crashes.keys()])) this.send(uri);
  }

  addList(uri: string, line: number, list: HistoryList): void {
    const rows = list.rows.slice(0, rowsInDiagnostic).map(({ label, description }) => `${label}  (${description})`);
    const more = list.rows.length > rows.length ? [`… ${list.rows.length - rows.length} more`] : [];
    const { range } = location('/', line);
    const message = [`${list.title}: ${list.rows.length}`, ...rows, ...more].join('\n');
    this.lists.set(uri, [{ range, message, severity: DiagnosticSeverity.Information, source: 'chronofork' }]);
    this.send(uri);
  }

  /** Its lines have moved. */
  clear(uri: string): void {
    if (!this.crashes.delete(uri) && !this.lists.delete(uri)) return;
    this.lists.delete(uri);
    this.send(uri);
  }

  private async look(): Promise<Crash[]> {
    const found: Crash[] = [];
    for (const session of this.server.sessions.inSight) {
      if (!session.view) continue;
      const crash = await crashAt(session, this.server.sessions.frameIn(session)).catch(() => undefined);
      if (crash) found.push(crash);
    }
    return found;
  }

  private send(uri: string): void {
    const diagnostics = [...(this.crashes.get(uri) ?? []), ...(this.lists.get(uri) ?? [])];
    void this.server.connection.sendDiagnostics({ uri, diagnostics });
  }
}

function diagnosticOf({ signal, message, path, line, pointer, chain }: Crash): Diagnostic {
  const through = pointer ? ` It went through ${pointer.expression}, which is ${shortened(pointer.value, 80)}.` : '';
  return {
    range: location(path, line).range,
    severity: DiagnosticSeverity.Error,
    source: 'chronofork',
    code: signal,
    message: `${message}${through}`,
    relatedInformation: chain.map((link) => ({ location: location(link.path, link.line), message: link.message })),
  };
}
