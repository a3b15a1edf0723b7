/** Sessions through VS Code's own API: launch configurations, commands, custom requests. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { Timeline } from '../../../debug-adapter/protocol/timeTravel.js';
import { eventually, launchOf, lineOf } from './support.js';

/** The line of the topmost stack frame, once the session has stopped. */
async function topLine(): Promise<number> {
  const item = vscode.debug.activeStackItem;
  const session = vscode.debug.activeDebugSession;
  if (!(item instanceof vscode.DebugStackFrame) || !session) return 0;
  const stack = await session.customRequest('stackTrace', { threadId: item.threadId });
  return stack.stackFrames[0].line;
}

async function stoppedAt(program: string, mark: string): Promise<void> {
  const wanted = lineOf(program, mark);
  await eventually(`a stop at ${mark}`, async () => ((await topLine()) === wanted ? true : undefined));
}

async function breakpointAt(program: string, mark: string): Promise<void> {
  const { program: file } = launchOf(program) as unknown as { program: string };
  const position = new vscode.Position(lineOf(program, mark) - 1, 0);
  const location = new vscode.Location(vscode.Uri.file(`${file}.c`), position);
  vscode.debug.addBreakpoints([new vscode.SourceBreakpoint(location)]);
}

describe('sessions', () => {
  afterEach(async () => {
    vscode.debug.removeBreakpoints(vscode.debug.breakpoints);
    await vscode.debug.stopDebugging();
    await eventually('the end of the session', () => (vscode.debug.activeDebugSession ? undefined : true));
  });

  it('gives the adapter a complete configuration', async () => {
    await breakpointAt('account', 'first');
    assert.ok(await vscode.debug.startDebugging(vscode.workspace.workspaceFolders?.[0], launchOf('account')));
    await stoppedAt('account', 'first');
    const { configuration } = vscode.debug.activeDebugSession ?? assert.fail('there is no session');
    assert.equal(configuration.onEditedContinue, 'ask');
    assert.equal(configuration.cwd, vscode.workspace.workspaceFolders?.[0]?.uri.fsPath);
  });

  it('refuses a configuration that is wrong, without starting anything', async () => {
    const started: string[] = [];
    const listener = vscode.debug.onDidStartDebugSession((session) => started.push(session.name));
    await vscode.debug.startDebugging(undefined, launchOf('account', { args: 'not a list' }));
    await vscode.debug.startDebugging(undefined, launchOf('absent'));
    listener.dispose();
    assert.deepEqual(started, []);
  });

  it('goes back by its commands, and to checkpoints by the custom requests', async () => {
    await breakpointAt('account', 'report');
    await vscode.debug.startDebugging(undefined, launchOf('account'));
    await stoppedAt('account', 'report');
    await vscode.commands.executeCommand('chronofork.reverseStepOver');
    await stoppedAt('account', 'second');
    await vscode.commands.executeCommand('chronofork.reverseStepInto');
    await stoppedAt('account', 'leave');
    await vscode.commands.executeCommand('chronofork.reverseStepOut');
    await stoppedAt('account', 'first');
    const session = vscode.debug.activeDebugSession ?? assert.fail('there is no session');
    const timeline = (await session.customRequest('chronofork/timeline')) as Timeline;
    assert.equal(timeline.live, false);
    const last = timeline.checkpoints.at(-1) ?? assert.fail('there is no checkpoint');
    await session.customRequest('chronofork/seek', { checkpoint: last.id });
    await vscode.commands.executeCommand('chronofork.goToBeginning');
    await stoppedAt('account', 'open');
    await vscode.commands.executeCommand('chronofork.goToEnd');
    await stoppedAt('account', 'report');
  });

  it('replays a crash', async () => {
    await vscode.debug.startDebugging(undefined, launchOf('crash'));
    await stoppedAt('crash', 'add');
    await vscode.commands.executeCommand('chronofork.replayCrash');
    await stoppedAt('crash', 'start');
  });
});
