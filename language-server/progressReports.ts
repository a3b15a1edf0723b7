/** The adapter's progress of what the server has asked, as the client's: it begins after half a second there already. */
import type { Connection } from 'vscode-languageserver';

interface Told {
  readonly progressId: string;
  readonly title?: string;
  readonly message?: string;
  readonly percentage?: number;
}

type Reporter = Awaited<ReturnType<Connection['window']['createWorkDoneProgress']>>;

export class ProgressReports {
  /** The client can show it. */
  possible = false;
  private readonly reporters = new Map<string, Promise<Reporter>>();

  constructor(private readonly connection: Connection) {}

  hear(event: string, body: Told): void {
    if (!this.possible) return;
    if (event === 'progressStart') {
      const made = this.connection.window.createWorkDoneProgress();
      this.reporters.set(body.progressId, made);
      void made.then((reporter) =>
        reporter.begin(body.title ?? 'Chronofork', body.percentage ?? 0, body.message, false),
      );
      made.catch(() => this.reporters.delete(body.progressId));
      return;
    }
    const reporter = this.reporters.get(body.progressId);
    if (event === 'progressEnd') {
      this.reporters.delete(body.progressId);
      void reporter?.then((one) => one.done());
    } else {
      void reporter?.then((one) =>
        body.message === undefined ? one.report(body.percentage ?? 0) : one.report(body.percentage ?? 0, body.message),
      );
    }
  }
}
