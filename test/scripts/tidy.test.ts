/** The habits that tidy.mjs watches over, each shown once as it should be and once broken. */
import { deepEqual, match } from 'node:assert/strict';
import { findUntidy } from '../../scripts/tidy.mjs';

const purpose = '/** Finds the last moment before now. */\n';

describe('tidy', () => {
  it('is content with a file that opens with its purpose', () => {
    deepEqual(findUntidy('debug-adapter/session.ts', `${purpose}export {};\n`), []);
    deepEqual(findUntidy('native/base/log.cc', '// Logging with a switch for each layer.\n'), []);
    deepEqual(findUntidy('debug-adapter/cli.ts', `#!/usr/bin/env node\n${purpose}`), []);
  });

  it('wants the purpose first, and more than a word', () => {
    match(findUntidy('debug-adapter/session.ts', `import 'x';\n${purpose}`)[0] ?? '', /does not open with a comment/);
    match(findUntidy('debug-adapter/session.ts', '// Session.\n')[0] ?? '', /does not open with a comment/);
  });

  it('asks why a file is so long', () => {
    match(findUntidy('debug-adapter/session.ts', purpose + 'x\n'.repeat(600))[0] ?? '', /has 601 lines/);
    deepEqual(findUntidy('debug-adapter/session.ts', purpose + 'x\n'.repeat(599)), []);
  });

  it('refuses notes to self and paths of one machine', () => {
    const note = ['TO', 'DO'].join('');
    match(findUntidy('extension/a.ts', `${purpose}// ${note}: later\n`)[0] ?? '', /a\.ts:2: a note to self/);
    match(findUntidy('extension/a.ts', `${purpose}open('${'/ro' + 'ot'}/x');\n`)[0] ?? '', /a path of one machine/);
  });

  it('checks the names of files', () => {
    match(findUntidy('extension/status-bar.ts', purpose)[0] ?? '', /camelCase/);
    match(findUntidy('native/base/ScopedFd.h', '// Closes a descriptor by itself.\n')[0] ?? '', /snake_case/);
  });

  it('keeps registries out of the lock file', () => {
    match(findUntidy('package-lock.json', '{ "resolved": "https://x" }')[0] ?? '', /registry/);
  });
});
