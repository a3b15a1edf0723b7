/** The extension sleeps until it is needed, and keeps what its manifest promises. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { extension } from './support.js';

interface Manifest {
  contributes: { commands: { command: string }[]; views: { debug: { id: string }[] } };
}

describe('activation', () => {
  it('does not happen before anything of ours is needed', () => {
    assert.equal(extension().isActive, false);
  });

  // It takes some 20 ms; 1 s also on a machine under load. More would be work that belongs later.
  it('takes less than 1 s and registers every command of the manifest', async () => {
    const startedMs = performance.now();
    await extension().activate();
    const tookMs = performance.now() - startedMs;
    console.log(`activation took ${tookMs.toFixed(1)} ms`);
    assert.ok(tookMs < 1000, `it took ${tookMs.toFixed(0)} ms`);
    const registered = new Set(await vscode.commands.getCommands(true));
    const { commands, views } = (extension().packageJSON as Manifest).contributes;
    assert.deepEqual(
      commands.map(({ command }) => command).filter((command) => !registered.has(command)),
      [],
    );
    for (const { id } of views.debug) assert.ok(registered.has(`${id}.focus`), `there is no view ${id}`);
  });

  it('leaves no command without its entry in the manifest', async () => {
    const { commands, views } = (extension().packageJSON as Manifest).contributes;
    const known = new Set(commands.map(({ command }) => command));
    const ours = (await vscode.commands.getCommands(true)).filter((command) => command.startsWith('chronofork.'));
    // VS Code makes commands of its own for each view: focus, open, resetViewLocation, …
    const inViews = Object.values(views).flat();
    const added = ours.filter((command) => !known.has(command) && !inViews.some(({ id }) => command.startsWith(id)));
    assert.deepEqual(added, []);
  });
});
