/** What package.json promises of commands, menus, keys and views: one table, and rules that hold for every row. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';

interface Manifest {
  contributes: {
    commands: { command: string; title: string; category?: string; enablement?: string; icon?: unknown }[];
    menus: Record<string, { command?: string; submenu?: string; when?: string; group?: string }[]>;
    keybindings: { command: string; key: string; when?: string }[];
    views: Record<string, { id: string; name: string; when?: string }[]>;
    viewsWelcome: { view: string; contents: string; when?: string }[];
    configuration: { properties: Record<string, Record<string, unknown>> };
    walkthroughs: { steps: { id: string; description: string; media: { svg: string; altText: string } }[] }[];
  };
}

const root = path.resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const { contributes } = JSON.parse(read('package.json')) as Manifest;

/** When a command is in the palette. */
const session = ['debugType == ', 'inDebugMode'];
/**
 * - always: without a session
 * - session: while one of ours is active; stopped: while it stands still
 * - never: of a row of a view or of the Variables view alone
 */
type Shown = 'always' | 'idle' | 'folder' | 'session' | 'stopped' | 'never';

const table: Record<string, [Shown, string?]> = {
  attachToProcess: ['always'],
  checkMachine: ['always'],
  chooseProgram: ['always'],
  quickStart: ['always'],
  troubleshooting: ['always'],
  walkthrough: ['always'],
  debugSample: ['idle'],
  importLaunch: ['folder'],
  seekToCheckpoint: ['session'],
  renameBranch: ['session', 'chronofork.severalBranches'],
  bookmark: ['stopped'],
  compareMoments: ['stopped'],
  compareWithPresent: ['stopped'],
  createCheckpoint: ['stopped'],
  firstWrite: ['stopped'],
  firstWriteOfSelection: ['stopped', 'editorTextFocus'],
  goToBeginning: ['stopped'],
  goToBranch: ['stopped', 'chronofork.severalBranches'],
  goToCrash: ['stopped', 'chronofork.crashKnown'],
  goToEnd: ['stopped'],
  goToEvent: ['stopped'],
  goToOutput: ['stopped'],
  goToTime: ['stopped'],
  lastWrite: ['stopped'],
  lastWriteOfSelection: ['stopped', 'editorTextFocus'],
  lastWriteOfSuspect: ['stopped', 'chronofork.crashKnown'],
  nextWrite: ['stopped'],
  nextWriteOfSelection: ['stopped', 'editorTextFocus'],
  replayCrash: ['stopped', 'chronofork.crashed'],
  reverseStepInto: ['stopped'],
  reverseStepOut: ['stopped'],
  reverseStepOver: ['stopped'],
  runBackToCursor: ['stopped'],
  runOnFromHere: ['stopped', 'chronofork.inThePast'],
  stepBackFromCrash: ['stopped', 'chronofork.crashKnown'],
  visitedBack: ['stopped', 'chronofork.visitedBefore'],
  visitedForward: ['stopped', 'chronofork.visitedAfter'],
  visitedPlaces: ['stopped'],
  showTimeline: ['always'],
  listCallsHere: ['session'],
  logExpressionHere: ['session'],
  countHere: ['session'],
  bookmarkCheckpoint: ['never'],
  deleteBookmark: ['never'],
  deleteCheckpoint: ['never'],
  firstWriteOfVariable: ['never'],
  goToCheckpoint: ['never'],
  lastWriteOfVariable: ['never'],
  nextWriteOfVariable: ['never'],
  noteBookmark: ['never'],
  pickProcess: ['never'],
  pinCheckpoint: ['never'],
  remedy: ['never'],
  renameCheckpoint: ['never'],
  restartFromCheckpoint: ['never'],
  unpinCheckpoint: ['never'],
};

/** The conditions of a command in the palette: those of its menu entry and its own. */
function paletteConditions(command: string): { when: string; enablement: string } {
  const entry = contributes.menus.commandPalette?.find((one) => one.command === command);
  const { enablement = '' } = contributes.commands.find((one) => one.command === command) ?? {};
  return { when: entry?.when ?? '', enablement };
}

function shownWhen(command: string): Shown {
  const { when, enablement } = paletteConditions(command);
  if (when === 'false') return 'never';
  const all = `${when} && ${enablement}`;
  if (all.includes("debugState == 'stopped'")) return 'stopped';
  if (session.some((word) => all.includes(word)) && !all.includes('!inDebugMode')) return 'session';
  if (all.includes('workspaceFolderCount')) return 'folder';
  return all.includes('!inDebugMode') ? 'idle' : 'always';
}

describe('the manifest', () => {
  for (const [name, [shown, also]] of Object.entries(table)) {
    it(`offers ${name} ${also ? `${shown}, ${also}` : shown}`, () => {
      const command = `chronofork.${name}`;
      const found = contributes.commands.filter((one) => one.command === command);
      assert.equal(found.length, 1, 'it is declared once');
      assert.equal(found[0]?.category, 'Chronofork');
      assert.equal(shownWhen(command), shown);
      const { when, enablement } = paletteConditions(command);
      if (also) assert.ok(`${when} && ${enablement}`.includes(also));
      // Of other debuggers it must never be seen.
      if (shown === 'stopped' || shown === 'session') assert.match(when, /debugType == 'chronofork'/);
    });
  }

  it('names only commands that are declared or VS Code’s, and its conditions only keys that somebody sets', () => {
    const declared = new Set(contributes.commands.map(({ command }) => command));
    const menus = Object.values(contributes.menus).flat();
    const named = [...menus, ...contributes.keybindings].flatMap(({ command }) => (command ? [command] : []));
    const welcome = contributes.viewsWelcome.flatMap(({ contents }) =>
      [...contents.matchAll(/\(command:([\w.]+)/g)].map(([, command]) => command ?? ''),
    );
    const steps = contributes.walkthroughs.flatMap((one) => one.steps);
    const ours = [...named, ...welcome].filter((command) => command.startsWith('chronofork.'));
    assert.deepEqual(
      ours.filter((command) => !declared.has(command)),
      [],
    );
    assert.ok(steps.every(({ media }) => read(media.svg).includes('<svg')));
    const setters = [
      'extension/timeline/timelineSessions.ts',
      'extension/extension.ts',
      'extension/history/listView.ts',
    ];
    const sources = setters.map(read).join('');
    const keys = JSON.stringify([menus, contributes.keybindings, contributes.views]).match(
      /chronofork\.(?=[a-z])\w+(?=[ )"]|$)/g,
    );
    const views = Object.values(contributes.views).flat();
    for (const key of new Set(keys))
      if (!declared.has(key) && !views.some(({ id }) => id === key))
        assert.ok(sources.includes(`'${key}'`), `nobody sets ${key}`);
  });

  it('binds keys only while a session of ours stands still, each once', () => {
    const keys = contributes.keybindings.map(({ key }) => key);
    assert.equal(new Set(keys).size, keys.length);
    for (const { when } of contributes.keybindings)
      assert.match(when ?? '', /debugType == 'chronofork' && debugState == 'stopped'/);
  });

  it('has in every view an empty state without a session, and one for a running and a standing program', () => {
    for (const { id } of contributes.views.debug ?? []) {
      if (id === 'chronofork.crash') continue; // it is there only when there is something in it
      const states = contributes.viewsWelcome.filter(({ view }) => view === id);
      assert.ok(states.length >= 3, `${id} has ${states.length}`);
    }
  });

  it('has settings that the extension reads, with the defaults that it believes in', () => {
    const source = read('extension/settings.ts');
    for (const [name, { default: value }] of Object.entries(contributes.configuration.properties)) {
      const key = name.replace('chronofork.', '');
      const read_ = new RegExp(`get\\('${key.replace('.', '\\.')}', ([^)]+)\\)`).exec(source)?.[1];
      // Those of other parts are read there.
      if (read_ !== undefined) assert.equal(read_.replaceAll("'", ''), String(value), name);
    }
  });
});
