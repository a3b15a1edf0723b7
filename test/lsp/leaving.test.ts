/** kill -9 of either end: the other goes on or ends as it should, and nothing is left. */
import assert from 'node:assert/strict';
import { findSessions } from '../../language-server/sessions/findSessions.js';
import { debugTest } from '../dsl/debugTest.js';
import { eventually, nothingLeft } from '../dsl/leftovers.js';
import { LspClient } from '../dsl/lspClient.js';

describe('leaving', () => {
  debugTest(
    'the adapter is killed: its socket is gone, and the language server shows nothing more',
    'bank.c',
    async (s) => {
      await s.walk('break print\nrun -> print');
      const [key = '', value = ''] = s.client.mark.split('=');
      const editor = new LspClient({ [key]: value });
      try {
        await editor.initialize();
        const uri = await editor.open(s.program.source);
        await editor.until(
          'lenses are shown',
          () => editor.lenses(uri),
          (found) => found.length > 0,
        );
        assert.ok(findSessions().some(({ adapter }) => adapter === s.client.child.pid));
        s.client.child.kill('SIGKILL');
        await s.client.exited;
        assert.ok(!findSessions().some(({ adapter }) => adapter === s.client.child.pid));
        await editor.until(
          'lenses are gone',
          () => editor.lenses(uri),
          (found) => found.length === 0,
        );
        assert.deepEqual(await editor.hints(uri), []);
        assert.equal(await editor.close(), 0);
      } finally {
        editor.child.kill('SIGKILL');
      }
      await nothingLeft(s.client);
    },
  );

  debugTest(
    'the language server is killed in the middle of a question: the session goes on',
    'longRun.c',
    async (s) => {
      assert.equal((await s.run()).text, 'exit 0');
      const [key = '', value = ''] = s.client.mark.split('=');
      const editor = new LspClient({ [key]: value });
      await editor.initialize({ settings: { countAutomaticallySeconds: 60 } });
      await editor.open(s.program.source);
      await new Promise((resolve) => setTimeout(resolve, 3000));
      editor.child.kill('SIGKILL');
      await eventually('it is gone', () => editor.child.signalCode !== null || editor.child.exitCode !== null);
      assert.equal((await s.stack(1))[0]?.name, s.last?.stackFrame?.name);
      assert.ok(s.last);
    },
  );
});
