/**
 * Compares two moments in a diff editor: two that are selected in a view, one
 * with the present, or two that are picked. The earlier one is at the left.
 * The texts are made once and kept while their editors may want them.
 */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import type { Checkpoint, Moment, Timeline } from '../../debug-adapter/protocol/timeTravel.js';
import { isRow, placeOf, rowsOf } from '../commands/checkpointCommands.js';
import type { SessionCommand } from '../sessionCommands.js';
import type { TimelineSession } from '../timeline/timelineSessions.js';
import { runTimeText } from '../timeline/words.js';
import { momentText } from './momentText.js';
import { outputUntil } from './outputSoFar.js';

const scheme = 'chronofork-moment';
/** Editors that are still open are few; a text is small. */
const keptTexts = 40;
/** Beyond that nobody reads on. */
const mostMemoryRows = 500;

const texts = new Map<string, string>();
let made = 0;

interface Named {
  readonly name: string;
  readonly moment: Moment;
}

export function provideMomentTexts(): vscode.Disposable {
  return vscode.workspace.registerTextDocumentContentProvider(scheme, {
    provideTextDocumentContent: (uri) =>
      texts.get(uri.toString()) ?? l10n.t('This comparison is no longer kept. Compare the moments again.'),
  });
}

export const compareCommands: Readonly<Record<string, SessionCommand>> = {
  async compareMoments(session, argument, more) {
    const timeline = await requireTimeline(session);
    const rows = isRow(argument) ? rowsOf(argument, more) : [];
    if (rows.length > 2) throw new Error(l10n.t('Select two moments to compare them.'));
    const chosen = rows.map(({ checkpoint }) => named(checkpoint));
    if (chosen.length === 0) chosen.push(...(await pickTwo(timeline)));
    if (chosen.length === 0) return;
    await compare(session, timeline, chosen[0]!, chosen[1] ?? present(timeline));
  },
  async compareWithPresent(session, argument) {
    const timeline = await requireTimeline(session);
    const [row] = isRow(argument) ? [named(argument.checkpoint)] : [await pickOne(timeline)];
    if (row) await compare(session, timeline, row, present(timeline));
  },
};

async function requireTimeline(session: TimelineSession): Promise<Timeline> {
  const timeline = await session.reload();
  if (!timeline) throw new Error(l10n.t('The program is running. Pause it first.'));
  return timeline;
}

function named(checkpoint: Checkpoint): Named {
  return { name: checkpoint.name ?? placeOf(checkpoint), moment: checkpoint.moment };
}

function present(timeline: Timeline): Named {
  return { name: l10n.t('Where you are'), moment: timeline.present };
}

/** The title lists what there is to choose from: bookmarks before other checkpoints. */
async function pickOne(timeline: Timeline, title = l10n.t('Compare with where you are')): Promise<Named | undefined> {
  const checkpoints = [...timeline.checkpoints].sort(
    (a, b) => Number(Boolean(b.name)) - Number(Boolean(a.name)) || b.moment.order - a.moment.order,
  );
  const picked = await vscode.window.showQuickPick(checkpoints.map(choice), { title, matchOnDescription: true });
  return picked && named(picked.checkpoint);
}

/** Many checkpoints are at one line: the time tells them apart. */
function choice(checkpoint: Checkpoint) {
  const time = runTimeText(checkpoint.moment.timeMs);
  return {
    label: checkpoint.name ?? placeOf(checkpoint),
    description: checkpoint.name ? `${placeOf(checkpoint)} · ${time}` : time,
    iconPath: new vscode.ThemeIcon(checkpoint.name ? 'bookmark' : 'history'),
    checkpoint,
  };
}

async function pickTwo(timeline: Timeline): Promise<Named[]> {
  const first = await pickOne(timeline, l10n.t('Compare two moments: the first'));
  if (!first) return [];
  const here = { label: l10n.t('Where you are'), iconPath: new vscode.ThemeIcon('debug-stackframe') };
  const others = timeline.checkpoints.filter(({ moment }) => moment.id !== first.moment.id).map(choice);
  const title = l10n.t('Compare two moments: the second');
  const picked = await vscode.window.showQuickPick<ReturnType<typeof choice> | typeof here>([here, ...others], {
    title,
    matchOnDescription: true,
  });
  if (!picked) return [];
  return [first, 'checkpoint' in picked ? named(picked.checkpoint) : present(timeline)];
}

async function compare(session: TimelineSession, timeline: Timeline, one: Named, other: Named): Promise<void> {
  if (one.moment.id === other.moment.id) throw new Error(l10n.t('These are the same moment.'));
  const sameBranch = one.moment.branch === other.moment.branch;
  const swap = sameBranch ? one.moment.order > other.moment.order : one.moment.timeMs > other.moment.timeMs;
  const [left, right] = swap ? [other, one] : [one, other];
  await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: l10n.t('Comparing two moments') },
    async () => {
      const { states } = await session.request('chronofork/states', { moments: [left.moment.id, right.moment.id] });
      const memory = await differences(session, timeline, left.moment, right.moment);
      const uris = [];
      for (const [side, moment, state] of [
        ['old', left, states[0]],
        ['new', right, states[1]],
      ] as const) {
        if (!state) return;
        const text = momentText({
          name: moment.name,
          branch: session.model.branchName(moment.moment.branch),
          timeMs: moment.moment.timeMs,
          state,
          output: await outputUntil(session, timeline, moment.moment).catch(() => undefined),
          side,
          ...memory,
        });
        uris.push(keep(moment.name, text));
      }
      const title = l10n.t('{0} ↔ {1}', left.name, right.name);
      await vscode.commands.executeCommand('vscode.diff', uris[0], uris[1], title, { preview: false });
    },
  );
}

async function differences(session: TimelineSession, timeline: Timeline, from: Moment, to: Moment) {
  if (from.branch !== to.branch || from.branch !== timeline.present.branch)
    return { memory: [], memoryNote: l10n.t('(compared only between moments of the branch that you are on)') };
  const found = await session.request('chronofork/diff', { from: from.id, to: to.id, count: mostMemoryRows });
  const note = found.more
    ? l10n.t('(the first {0} of {1} places)', found.rows.length, found.total)
    : found.complete
      ? undefined
      : found.message;
  return { memory: found.rows, memoryNote: note };
}

function keep(name: string, text: string): vscode.Uri {
  const uri = vscode.Uri.from({ scheme, path: `/${++made}/${name.replaceAll('/', '∕')}` });
  texts.set(uri.toString(), text);
  const [oldest] = texts.keys();
  if (texts.size > keptTexts && oldest !== undefined) texts.delete(oldest);
  return uri;
}
