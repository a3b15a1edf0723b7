/** `npm run bench`: makes everything ready, then hands over to bench/run.ts. */
import path from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { isMain, root, runMain, show } from './lib/run.mjs';

if (isMain(import.meta.url)) {
  await runMain(async () => {
    await bootstrap(['build', 'run']);
    const tsx = path.join(root, 'node_modules/tsx/dist/cli.mjs');
    return show(process.execPath, [tsx, 'bench/run.ts', ...process.argv.slice(2)]);
  });
}
