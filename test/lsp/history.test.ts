/**
 * The history in a plain editor: a client that knows LSP alone, beside a client
 * that debugs, with the real adapter, gdb and core.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { CodeLens, InlayHint } from 'vscode-languageserver-protocol';
import type { HistoryList } from '../../language-server/protocol/historyProtocol.js';
import { debugTest, type Journey, type JourneyOptions } from '../dsl/debugTest.js';
import { LspClient } from '../dsl/lspClient.js';

type Options = Parameters<LspClient['initialize']>[0];

/** A journey with an editor beside it that has the program's source open. */
function editorTest(
  name: string,
  program: string,
  settings: Options,
  body: (s: Journey, editor: LspClient, uri: string) => Promise<void>,
  options: JourneyOptions = {},
): void {
  debugTest(name, program, options, async (s) => {
    const [key = '', value = ''] = s.client.mark.split('=');
    const editor = new LspClient({ [key]: value });
    try {
      await editor.initialize(settings);
      await body(s, editor, await editor.open(s.program.source));
      assert.equal(await editor.close(), 0);
    } finally {
      editor.child.kill('SIGKILL');
    }
  });
}

/** The titles of lenses by line, from 1 on. */
function titles(lenses: readonly CodeLens[], line: number): string[] {
  return lenses.filter(({ range }) => range.start.line === line - 1).map(({ command }) => command?.title ?? '');
}

function counted(editor: LspClient, uri: string, title: string): Promise<CodeLens[]> {
  return editor.until(
    `a lens says "${title}"`,
    () => editor.lenses(uri),
    (lenses) => lenses.some(({ command }) => command?.title === title),
  );
}

/** The diagnostic at a crash, when it has come. */
async function crashTold(editor: LspClient, uri: string) {
  const [crash] = await editor.until(
    'the crash is told',
    () => editor.diagnostics.get(uri) ?? [],
    (found) => found.length > 0,
  );
  return crash;
}

function lineOf(s: Journey, text: string): number {
  return (
    readFileSync(s.program.source, 'utf8')
      .split('\n')
      .findIndex((line) => line.includes(text)) + 1
  );
}

const valuesOnly = { settings: { lineCounts: false } };

describe('history in the editor', () => {
  editorTest(
    'functions say how often they were called, and lead to their calls',
    'bank.c',
    {},
    async (s, editor, uri) => {
      assert.deepEqual(await editor.lenses(uri), [], 'nothing without a session');
      await s.walk('break print\nrun -> print');
      const lenses = await counted(editor, uri, 'called 3 times');
      const deposit = lineOf(s, 'static int deposit(');
      assert.deepEqual(titles(lenses, deposit), ['called 3 times', 'first', '← previous', 'next →', 'last']);
      assert.deepEqual(titles(lenses, lineOf(s, 'int main(')), ['called once', 'go there']);
      const seen: string[] = [];
      let refreshed: number | undefined;
      for (const title of ['last', '← previous', '← previous', 'next →', 'first']) {
        s.client.forget('stopped');
        await editor.run(await editor.lenses(uri), title, deposit);
        assert.equal((await s.stopped()).text, 'deposit-first');
        seen.push(await s.evaluate('amount'));
        refreshed ??= editor.refreshes.codeLens;
      }
      assert.equal(editor.refreshes.codeLens, refreshed, 'an editor does not draw anew what has stayed the same');
      assert.deepEqual(seen, ['30', '20', '10', '20', '10']);
      await editor.run(await editor.lenses(uri), '← previous', deposit);
      assert.ok(editor.messages.includes('deposit is not called before this moment.'), editor.messages.join('; '));
      const list = await editor.run<HistoryList>(await editor.lenses(uri), 'called 3 times', deposit);
      assert.deepEqual(
        list.rows.map(({ label }) => label.replace(/account=0x\w+/, 'account=…')),
        [10, 20, 30].map((amount) => `deposit(account=…, amount=${amount}) → ${amount}`),
      );
      s.client.forget('stopped');
      await editor.execute('chronofork.history.goToMoment', list.rows[2]!.go);
      await s.stopped();
      assert.equal(await s.evaluate('amount'), '30', 'each row leads to its moment');
    },
  );

  editorTest(
    'lines say how often they were reached, also those that never were',
    'bank.c',
    { settings: { values: false } },
    async (s, editor, uri) => {
      await s.walk('break print\nrun -> print');
      const hints = await editor.until(
        'counts are shown',
        () => editor.hintsByLine(uri),
        (found) => Object.keys(found).length > 0,
      );
      const at = (mark: string) => hints[s.line(mark)];
      assert.deepEqual(
        [at('deposit'), at('start'), at('loop'), at('print'), at('return')],
        [['3×'], ['1×'], ['1×'], ['0×'], ['0×']],
      );
      // What is new is added.
      await s.walk('next -> flush\nnext -> return');
      const later = await editor.until(
        'the new line is counted',
        () => editor.hintsByLine(uri),
        (found) => found[s.line('flush')]?.[0] === '1×',
      );
      assert.deepEqual(
        [later[s.line('deposit')], later[s.line('print')], later[s.line('return')]],
        [['3×'], ['1×'], ['0×']],
      );
    },
  );

  editorTest(
    'a client that draws counts itself is told them',
    'bank.c',
    { lineCounts: true },
    async (s, editor, uri) => {
      await s.walk('break print\nrun -> print');
      const told = await editor.until(
        'counts are told',
        () =>
          editor.notifications.filter(({ method }) => method === 'chronofork/lineCounts').at(-1)?.params as
            { uri: string; lines: { line: number; count: number }[] } | undefined,
        (counts) => (counts?.lines.length ?? 0) > 0,
      );
      assert.equal(told?.uri, uri);
      assert.equal(told?.lines.find(({ line }) => line === s.line('deposit') - 1)?.count, 3);
      assert.ok(!(await editor.hints(uri)).some(({ label }) => String(label).endsWith('×')));
    },
  );

  editorTest(
    'values are those of the moment one is at, and of no other',
    'bank.c',
    valuesOnly,
    async (s, editor, uri) => {
      const at = async (mark: string, text: string) => {
        await editor.until(
          `${mark} shows ${text}`,
          () => editor.hintsByLine(uri),
          (found) => found[s.line(mark)]?.[0]?.endsWith(text) === true,
        );
      };
      await s.walk('break deposit\nrun -> deposit');
      await at('deposit', 'amount = 10');
      await at('deposit-first', 'before = 100');
      await s.walk('continue -> deposit');
      await at('deposit', 'amount = 20');
      await at('deposit-first', 'before = 110');
      await s.walk('stepBack -> deposit-first\nstepBack -> call');
      const inMain = await editor.hintsByLine(uri);
      assert.match(inMain[s.line('call')]?.[0] ?? '', /total = 10.*i = 2/);
      assert.equal(inMain[s.line('deposit')], undefined, 'another function is not shown');
      // While it runs nothing is shown; what runs here ends by itself.
      await s.clear('deposit');
      const refreshed = editor.refreshes.inlayHint ?? 0;
      await s.walk('continue -> exit 0');
      assert.deepEqual(await editor.hintsByLine(uri), {}, 'at its end the program stands in no line of this file');
      assert.ok((editor.refreshes.inlayHint ?? 0) > refreshed);
    },
  );

  editorTest('a value that is changed by hand is shown as it is then', 'bank.c', valuesOnly, async (s, editor, uri) => {
    await s.walk('break deposit\nrun -> deposit');
    const shows = (text: string) =>
      editor.until(
        `it shows ${text}`,
        () => editor.hintsByLine(uri),
        (found) => found[s.line('deposit')]?.[0]?.endsWith(text) === true,
      );
    await shows('amount = 10');
    await s.walk('set amount = 77');
    await shows('amount = 77');
  });

  editorTest('the hints of a running program are none', 'longRun.c', valuesOnly, async (s, editor, uri) => {
    await s.walk('break batch\nrun -> batch');
    await editor.until(
      'values are shown',
      () => editor.hints(uri),
      (found: InlayHint[]) => found.length > 0,
    );
    await s.clear('batch');
    await s.client.request('continue', { threadId: s.threadId });
    assert.deepEqual(await editor.hints(uri), []);
    await s.stopped();
  });

  editorTest(
    'a hover tells what a variable was, and each value leads to its write',
    'bank.c',
    { commandLinks: true },
    async (s, editor, uri) => {
      await s.walk('break print\nrun -> print');
      await editor.until(
        'the session is known',
        () => editor.lenses(uri),
        (found) => found.length > 0,
      );
      const line = s.line('deposit-count');
      const text = readFileSync(s.program.source, 'utf8').split('\n')[line - 1]!;
      const outside = JSON.stringify(await editor.hover(uri, line, text.indexOf('deposits') + 2));
      assert.match(outside, /was reached 3 times/, 'in another function: its values where the line was reached');
      s.client.forget('stopped');
      await editor.run(await editor.lenses(uri), 'last', lineOf(s, 'static int deposit('));
      await s.stopped();
      const hover = await editor.until(
        'it has a history',
        () => editor.hover(uri, line, text.indexOf('deposits') + 2),
        (found) => found !== null,
      );
      const shown = (hover?.contents as { value: string }).value;
      assert.match(shown, /\*\*`deposits`\*\* = `2`/);
      assert.match(shown, /Written 3 times/);
      assert.match(shown, /`[▁-█]{3}`/);
      assert.match(shown, /\| `3` \|.*deposit \(bank\.c:\d+\)/);
      const links = [...shown.matchAll(/command:chronofork\.history\.goToMoment\?([^)]+)\)/g)];
      assert.equal(links.length, 3);
      s.client.forget('stopped');
      await editor.execute(
        'chronofork.history.goToMoment',
        (JSON.parse(decodeURIComponent(links[1]![1]!)) as unknown[])[0],
      );
      assert.equal((await s.stopped()).text, 'deposit-count');
      assert.equal(await s.evaluate('deposits'), '1', 'before its second write');
      const local = readFileSync(s.program.source, 'utf8').split('\n')[s.line('deposit') - 1]!;
      const amounts = await editor.hover(uri, s.line('deposit'), local.indexOf('amount'));
      assert.match((amounts?.contents as { value: string }).value, /Line \d+ was reached 3 times/);
    },
  );

  editorTest('an expression is logged over the past', 'bank.c', { lists: true }, async (s, editor, uri) => {
    await s.walk('break print\nrun -> print');
    await editor.until(
      'the session is known',
      () => editor.lenses(uri),
      (found) => found.length > 0,
    );
    const line = s.line('deposit-return');
    const text = readFileSync(s.program.source, 'utf8').split('\n')[line - 1]!;
    const actions = await editor.actions(uri, line, text.indexOf('before') + 1);
    assert.deepEqual(
      actions.map(({ title }) => title),
      ['Log “before” over the past', 'List all calls of deposit'],
    );
    const list = await editor.run<HistoryList>(actions, 'Log “before” over the past');
    assert.deepEqual(
      list.rows.map(({ label }) => label),
      ['before = 100', 'before = 110', 'before = 130'],
    );
    assert.deepEqual(editor.notifications.find(({ method }) => method === 'chronofork/list')?.params, list);
    s.client.forget('stopped');
    await editor.execute('chronofork.history.goToMoment', list.rows[1]!.go);
    assert.equal((await s.stopped()).text, 'deposit-return');
    assert.equal(await s.evaluate('before'), '110');
  });

  editorTest('a client without lists finds the answer at its line', 'bank.c', {}, async (s, editor, uri) => {
    await s.walk('break print\nrun -> print');
    await editor.until(
      'the session is known',
      () => editor.lenses(uri),
      (found) => found.length > 0,
    );
    await editor.execute('chronofork.history.logExpression', { uri, line: s.line('deposit'), expression: 'amount' });
    const [found] = editor.diagnostics.get(uri) ?? [];
    assert.match(found?.message ?? '', /amount at bank\.c:\d+: 3\namount = 10 .*\namount = 20 .*\namount = 30/);
    assert.equal(found?.range.start.line, s.line('deposit') - 1);
  });

  editorTest('a crash is a diagnostic with the chain that led to it', 'crash.c', {}, async (s, editor, uri) => {
    await s.walk('run -> SIGSEGV at crash');
    const crash = await crashTold(editor, uri);
    assert.equal(crash?.range.start.line, s.line('crash') - 1);
    assert.equal(crash?.code, 'SIGSEGV');
    assert.match(crash?.message ?? '', /went through record->target, which is .*0x3ed000003ec/);
    const [write] = crash?.relatedInformation ?? [];
    assert.match(write?.message ?? '', /The last write of record->target: .* → 0x3ed000003ec, by fill/);
    assert.equal(write?.location.range.start.line, s.line('bad-write') - 1);
    await s.walk('stepBack -> crash\nstepBack -> use-call');
    await editor.until(
      'it is gone',
      () => editor.diagnostics.get(uri),
      (found) => found?.length === 0,
    );
  });

  editorTest('the chain of a crash says who freed the memory', 'freed.c', {}, async (s, editor, uri) => {
    await s.walk('run -> SIGSEGV at crash');
    const crash = await crashTold(editor, uri);
    const [freed, ...more] = crash?.relatedInformation ?? [];
    assert.match(
      freed?.message ?? '',
      /^list->next lies in memory that was freed here\. The last write of it, .* → 0x[0-9a-f]+, is by .*free/,
    );
    assert.equal(freed?.location.range.start.line, s.line('free') - 1);
    assert.deepEqual(more, [], 'what the allocator wrote comes from nowhere');
  });

  editorTest('a file that is not as the program was built shows nothing', 'bank.c', {}, async (s, editor, uri) => {
    await s.walk('break print\nrun -> print');
    await counted(editor, uri, 'called 3 times');
    const text = readFileSync(s.program.source, 'utf8');
    await editor.edit(uri, 2, `\n${text}`);
    assert.deepEqual(await editor.lenses(uri), []);
    assert.deepEqual(await editor.hints(uri), []);
    assert.equal(await editor.hover(uri, s.line('deposit'), 4), null);
    await editor.edit(uri, 3, text);
    await counted(editor, uri, 'called 3 times');
  });

  editorTest(
    'long recordings are counted when one asks, with progress; the person goes first',
    'longRun.c',
    { settings: { countAutomaticallySeconds: 0.5 } },
    async (s, editor, uri) => {
      assert.equal((await s.run()).text, 'exit 0');
      const title = 'Count calls and lines of this file over the recording';
      const lenses = await counted(editor, uri, title);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      assert.ok(
        (await editor.lenses(uri)).some(({ command }) => command?.title === title),
        'not without being asked',
      );
      const counting = editor.run(lenses, title);
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.equal((await s.stack(1))[0]?.name, s.last?.stackFrame?.name, 'answered meanwhile, and of this moment');
      await counting;
      const batches = Number(
        await s
          .evaluate('batches', { frameId: (await s.stack()).find(({ name }) => name === 'main')?.id })
          .catch(() => NaN),
      );
      const hints = await editor.hintsByLine(uri);
      assert.match(hints[s.line('batch')]?.[0] ?? '', /^[\d,]+×$/);
      if (!Number.isNaN(batches)) assert.equal(hints[s.line('batch')]?.[0], `${batches}×`);
      assert.ok(editor.progress.length > 0, 'progress is shown');
    },
  );

  it('ends with its editor, and leaves nothing', async function () {
    this.timeout(30_000);
    const editor = new LspClient();
    await editor.initialize();
    await editor.open(pathToFileURL('/').pathname, '');
    editor.child.stdin.destroy();
    await new Promise((resolve) => editor.child.once('exit', resolve));
  });
});
