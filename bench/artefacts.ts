/** What the last `npm run package` and `npm test` left behind: the VSIX's size and the time of the tests. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { root } from '../scripts/lib/run.mjs';
import type { Figure } from './measure.js';

export function measureArtefacts(): Promise<Figure[]> {
  const figures: Figure[] = [];
  const vsix = path.join(root, 'build/chronofork-linux-x64.vsix');
  if (existsSync(vsix)) {
    figures.push({ name: 'size of the VSIX', value: statSync(vsix).size / 1e6, unit: 'MB', how: 'npm run package' });
  }
  const summary = path.join(root, 'test-results/summary.json');
  if (existsSync(summary)) {
    const { seconds } = JSON.parse(readFileSync(summary, 'utf8')) as { seconds: number };
    figures.push({ name: 'npm test', value: seconds, unit: 's', how: 'the last whole run' });
  }
  return Promise.resolve(figures);
}
