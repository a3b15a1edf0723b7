/** The branches of a timeline as rows of the Branches view. Pure: no vscode. */
import * as l10n from '@vscode/l10n';
import type { Branch } from '../../debug-adapter/protocol/timeTravel.js';
import type { TimelineModel } from '../timeline/timelineModel.js';
import { runTimeText } from '../timeline/words.js';

export interface BranchRow {
  readonly branch: Branch;
  readonly label: string;
  readonly description: string;
  /** Everything in sentences, for the tooltip and for screen readers. */
  readonly details: readonly string[];
  /** The present is on it. */
  readonly present: boolean;
}

/** None while there is one line of time only: then there is nothing to choose from. */
export function branchRows(model: TimelineModel): BranchRow[] {
  if (!model.severalBranches) return [];
  return (model.timeline?.branches ?? []).map((branch) => {
    const present = branch.id === model.presentBranch;
    const left = branch.from && runTimeText(branch.from.timeMs);
    const parent = branch.parent === undefined ? undefined : model.branchName(branch.parent);
    const end = branch.end && runTimeText(branch.end.timeMs);
    return {
      branch,
      present,
      label: model.branchName(branch.id),
      description: [
        present ? l10n.t('you are on it') : undefined,
        left && l10n.t('left “{0}” at {1}', parent ?? '', left),
        end && l10n.t('stands at {0}', end),
      ]
        .filter(Boolean)
        .join(' · '),
      details: [
        left
          ? l10n.t('It went on live from “{0}”, {1} into the run.', parent ?? '', left)
          : l10n.t('What happened first.'),
        ...(end ? [l10n.t('Its program stands {0} into the run.', end)] : []),
        present ? l10n.t('You are on it.') : l10n.t('Click to go to where it stands.'),
      ],
    };
  });
}
