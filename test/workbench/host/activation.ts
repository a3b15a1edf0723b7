/** The extension sleeps until it is needed, and keeps what its manifest promises. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';
import * as vscode from 'vscode';
import { extension } from './support.js';

interface Manifest {
  main: string;
  contributes: { commands: { command: string }[]; views: { debug: { id: string }[] } };
}

/** Loads the bundle before VS Code does, which then finds it loaded, and calls an activate() that is timed. */
function timeOwnPart(): { loadMs: number; activateMs: number } {
  const { extensionPath, packageJSON } = extension();
  const file = path.join(extensionPath, (packageJSON as Manifest).main);
  const require = createRequire(file);
  const startedMs = performance.now();
  const bundle = require(file) as { activate(context: vscode.ExtensionContext): void };
  const own = { loadMs: performance.now() - startedMs, activateMs: 0 };
  require.cache[file]!.exports = {
    ...bundle,
    activate(context: vscode.ExtensionContext) {
      const calledMs = performance.now();
      bundle.activate(context);
      own.activateMs = performance.now() - calledMs;
    },
  };
  return own;
}

describe('activation', () => {
  it('does not happen before anything of ours is needed', () => {
    assert.equal(extension().isActive, false);
  });

  // Our part takes some 30 ms; 1 s also on a machine under load. More would be work that belongs later.
  it('takes less than 1 s and registers every command of the manifest', async () => {
    const own = timeOwnPart();
    const startedMs = performance.now();
    await extension().activate();
    const allMs = own.loadMs + performance.now() - startedMs;
    console.log(
      `activation took ${allMs.toFixed(1)} ms: loading the bundle ${own.loadMs.toFixed(1)}, ` +
        `its activate() ${own.activateMs.toFixed(1)}, the rest is what VS Code prepares for it`,
    );
    assert.ok(own.activateMs > 0, 'VS Code called what was timed');
    assert.ok(own.loadMs + own.activateMs < 1000, 'our part is quick');
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
