/**
 * A moment as text, so that two of them can be compared in a diff editor: where
 * it is, the stack, the local variables of each frame, the output so far, and
 * the memory that differs. Pure: no vscode.
 *
 * Both texts have the same sections in the same order, one fact a line: only
 * what differs is then marked.
 */
import * as l10n from '@vscode/l10n';
import type { DifferenceRow, MomentState } from '../../debug-adapter/protocol/timeTravel.js';
import { locationText, runTimeText } from '../timeline/words.js';

export interface MomentText {
  /** The bookmark's name, or what else it is called. */
  readonly name: string;
  readonly branch: string;
  readonly timeMs: number;
  readonly state: MomentState;
  /** Undefined where it is not known. */
  readonly output: string | undefined;
  /** `old` or `new` of each row is this moment's. */
  readonly memory: readonly DifferenceRow[];
  readonly side: 'old' | 'new';
  /** Why memory is not compared, or not all of it. */
  readonly memoryNote: string | undefined;
}

const kinds: readonly DifferenceRow['kind'][] = ['global', 'heap', 'other', 'stack'];

export function momentText(moment: MomentText): string {
  const { state } = moment;
  return (
    [
      heading(l10n.t('Moment'), [
        moment.name,
        l10n.t('{0} into the run, {1}', runTimeText(moment.timeMs), moment.branch),
        locationText(state.frames[0]) ?? state.moment.pc,
      ]),
      heading(
        l10n.t('Stack'),
        state.frames.map((frame) => locationText(frame) ?? frame.pc ?? '?'),
      ),
      ...state.frames
        .filter(({ locals }) => locals.length > 0)
        .map((frame) =>
          heading(
            l10n.t('Variables of {0}', frame.function ?? '?'),
            frame.locals.map(({ name, value }) => `${name} = ${oneLine(value)}`),
          ),
        ),
      ...(moment.output === undefined ? [] : [heading(l10n.t('Output so far'), moment.output.trimEnd().split('\n'))]),
      heading(l10n.t('Memory that differs'), [
        ...(moment.memoryNote ? [moment.memoryNote] : []),
        ...memoryLines(moment),
      ]),
    ].join('\n\n') + '\n'
  );
}

function memoryLines({ memory, side }: MomentText): string[] {
  return kinds.flatMap((kind) =>
    memory
      .filter((row) => row.kind === kind)
      .map((row) => `${placeText(row)} = ${oneLine(side === 'old' ? row.oldValue : row.newValue)}`),
  );
}

function heading(title: string, lines: readonly string[]): string {
  const shown = lines.length > 0 ? lines : [l10n.t('(nothing)')];
  return [title, ...shown.map((line) => `    ${line}`)].join('\n');
}

/** What has no name of its own is told from its like by the address. */
function placeText({ place, kind, address }: DifferenceRow): string {
  return place === kind || kind === 'other' ? `${place} ${address}` : place;
}

/** A line that is longer cannot be compared by eye. */
const longestValue = 200;

function oneLine(value: string): string {
  const line = value.replaceAll('\n', ' ');
  return line.length > longestValue ? `${line.slice(0, longestValue)}…` : line;
}
