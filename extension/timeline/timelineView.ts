/**
 * Hosts the page of the Timeline view in the panel: follows the active session,
 * gives the page what is new of its history, and carries out its wishes.
 *
 * The page is only told while it can be seen, and history is asked for from
 * where it was final last; while the program runs, twice a second at most.
 */
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import type { History, HistoryMark } from '../../debug-adapter/protocol/timeTravel.js';
import { SeekQueue, type SeekWish } from './seekQueue.js';
import type { FromPage, LanePart, PresentState, SeekTarget, ToPage } from './timelineMessages.js';
import type { TimelineSession, TimelineSessions } from './timelineSessions.js';
import { untilShown } from '../untilShown.js';

export const timelineViewId = 'chronofork.timeline';

/** A picture that changes more often than this is restless, and costs the adapter time. */
const pause_ms = 300;
/** So many marks in one message: a page keeps its frame rate meanwhile. */
const pageSize = 50_000;
const threadBuckets = 400;

export function showTimelineView(context: vscode.ExtensionContext, sessions: TimelineSessions): vscode.Disposable {
  const provider = new TimelineViewProvider(context.extensionUri, sessions);
  return vscode.Disposable.from(
    provider,
    vscode.window.registerWebviewViewProvider(timelineViewId, provider, {
      webviewOptions: { retainContextWhenHidden: true },
    }),
    vscode.commands.registerCommand('chronofork.showTimeline', () =>
      vscode.commands.executeCommand(`${timelineViewId}.focus`),
    ),
  );
}

class TimelineViewProvider implements vscode.WebviewViewProvider, vscode.Disposable {
  private view: vscode.WebviewView | undefined;
  private session: TimelineSession | undefined;
  /** By branch: marks before this event are with the page, and final. */
  private readonly settled = new Map<number, number>();
  private recording = 0;
  private timer: NodeJS.Timeout | undefined;
  private updating = false;
  private stale = false;
  private readonly seeks = new SeekQueue<SeekTarget>(
    (wish) => this.seek(wish),
    () => void this.session?.debugSession.customRequest('cancel', {}).then(undefined, () => undefined),
  );
  private readonly subscription: vscode.Disposable;

  constructor(
    private readonly extensionUri: vscode.Uri,
    private readonly sessions: TimelineSessions,
  ) {
    this.subscription = sessions.onDidChange(() => this.changed());
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.subscription.dispose();
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    const dist = vscode.Uri.joinPath(this.extensionUri, 'dist');
    view.webview.options = { enableScripts: true, localResourceRoots: [dist] };
    view.webview.onDidReceiveMessage((message: FromPage) => this.receive(message));
    view.onDidChangeVisibility(() => this.changed());
    view.onDidDispose(() => (this.view = undefined));
    view.webview.html = pageHtml(view.webview, dist);
  }

  private post(message: ToPage): void {
    void this.view?.webview.postMessage(message);
  }

  private receive(message: FromPage): void {
    if (message.type === 'ready') this.begin();
    else if (message.type === 'seek') this.seeks.want(message);
    else void vscode.commands.executeCommand(commands[message.command]);
  }

  /** A page that knows nothing yet, or another session. */
  private begin(): void {
    this.session = this.sessions.active;
    this.settled.clear();
    this.post({ type: 'session', name: this.session?.debugSession.name });
    this.changed();
  }

  private changed(): void {
    if (!this.view?.visible) return;
    if (this.sessions.active !== this.session) return this.begin();
    this.tellPresent();
    if (this.updating) this.stale = true;
    else this.timer ??= setTimeout(() => void this.update(), this.session?.model.running ? pause_ms : 0);
  }

  private tellPresent(): void {
    const model = this.session?.model;
    const moment = model?.present?.present ?? model?.timeline?.present;
    if (!model || !moment) return;
    const present: PresentState = {
      running: model.running,
      live: model.live,
      text: model.presentText().text,
      branch: moment.branch,
      timeMs: moment.timeMs,
      event: moment.event,
    };
    this.post({ type: 'present', present });
  }

  private async update(): Promise<void> {
    this.timer = undefined;
    const { session } = this;
    if (!session || !this.view) return;
    this.updating = true;
    this.stale = false;
    try {
      const timeline = session.model.timeline ?? (await session.reload());
      if (timeline) {
        const lanes: LanePart[] = [];
        for (const { id } of timeline.branches) lanes.push(...(await this.partsOf(session, id)));
        if (session !== this.session) return;
        this.post({ type: 'timeline', timeline });
        this.post({ type: 'lanes', lanes });
        this.tellPresent();
      }
    } catch {
      // The session is ending: the next change tells of another, or of none.
    } finally {
      this.updating = false;
      if (this.stale) this.changed();
    }
  }

  /** What is new of a branch; in parts, where it is much. */
  private async partsOf(session: TimelineSession, branch: number): Promise<LanePart[]> {
    const parts: LanePart[] = [];
    let fromEvent: number | undefined = this.settled.get(branch) ?? 0;
    while (fromEvent !== undefined) {
      const asked: number = fromEvent;
      const history: History = await session.request('chronofork/history', {
        branch,
        fromEvent: asked,
        count: pageSize,
        buckets: threadBuckets,
      });
      if (history.recording !== this.recording) {
        this.recording = history.recording;
        this.settled.clear();
        if (asked > 0) return this.partsOf(session, branch);
      }
      parts.push(partOf(history, asked, history.marks, session.model.branchName(branch)));
      fromEvent = history.next;
      this.settled.set(branch, Math.min(history.settled, history.next ?? history.settled));
    }
    return parts;
  }

  /** Who is in the picture or its list stays there. */
  private async seek(wish: SeekWish<SeekTarget>): Promise<void> {
    const arrived = this.goTo(wish);
    if (!wish.passing) void untilShown(() => arrived).then(() => this.view?.visible && this.view.show(false));
    return arrived;
  }

  private async goTo({ target, passing }: SeekWish<SeekTarget>): Promise<void> {
    const { session } = this;
    if (!session) return;
    try {
      const args = 'moment' in target ? { moment: target.moment } : passing ? { ...target, passing } : target;
      const { message } = await session.request('chronofork/seek', args).catch((error: unknown) => {
        // The checkpoint of a stop may have been thinned: then to the last event before it.
        if (!('moment' in target)) throw error;
        this.post({
          type: 'say',
          text: 'The exact place of that stop is no longer kept: this is the last event before it.',
        });
        return session.request('chronofork/seek', { event: target.event, branch: target.branch });
      });
      if (message && !passing) this.post({ type: 'say', text: message });
    } catch (error) {
      if (!passing) this.post({ type: 'say', text: error instanceof Error ? error.message : String(error) });
    }
  }
}

const commands = {
  start: 'workbench.action.debug.start',
  bookmark: 'chronofork.bookmark',
  live: 'chronofork.goToEnd',
  pause: 'workbench.action.debug.pause',
};

function partOf(history: History, fromEvent: number, marks: readonly HistoryMark[], name: string): LanePart {
  const { branch, extent, memory, overview, message } = history;
  const threads = overview?.threads ?? [];
  return { branch, name, fromEvent, marks, extent, memory, threads, ...(message ? { message } : {}) };
}

function pageHtml(webview: vscode.Webview, dist: vscode.Uri): string {
  const nonce = randomBytes(16).toString('base64url');
  const uri = (name: string) => webview.asWebviewUri(vscode.Uri.joinPath(dist, name)).toString();
  const policy = `default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${uri('timeline.css')}">
<title>Timeline</title>
</head>
<body><script nonce="${nonce}" src="${uri('timeline.js')}"></script></body>
</html>`;
}
