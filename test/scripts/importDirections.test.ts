/**
 * The directions between the TypeScript layers, as eslint sees them. Rules of
 * one name replace each other there, so a new one can switch off another
 * without a word; this notices.
 */
import { deepEqual, ok } from 'node:assert/strict';
import path from 'node:path';
import { ESLint } from 'eslint';
import { root } from '../../scripts/lib/run.mjs';

const directionRules = ['no-restricted-imports', 'no-restricted-syntax'];

describe('import directions', function () {
  // The typed rules load the whole project once.
  this.timeout(60_000);
  const eslint = new ESLint({ cwd: root });

  /** What the direction rules say about such a line in an existing file. */
  async function complaints(file: string, line: string): Promise<string[]> {
    const [result] = await eslint.lintText(`${line}\n`, { filePath: path.join(root, file) });
    ok(result && result.messages.every(({ fatal }) => !fatal), JSON.stringify(result?.messages));
    return result.messages.filter(({ ruleId }) => directionRules.includes(ruleId ?? '')).map(({ message }) => message);
  }

  const forbidden: [file: string, line: string][] = [
    ['debug-adapter/protocol/timeTravel.ts', "import '../errors.js';"],
    ['debug-adapter/protocol/timeTravel.ts', "import 'vscode';"],
    ['debug-adapter/session.ts', "import 'vscode';"],
    ['debug-adapter/core/core.ts', "import 'vscode';"],
    ['debug-adapter/session.ts', "import '../extension/extension.js';"],
    ['extension/extension.ts', "import '../debug-adapter/session.js';"],
    ['extension/extension.ts', "import '../debug-adapter/core/core.js';"],
    ['extension/extension.ts', "import '@vscode/debugadapter';"],
    ['debug-adapter/session.ts', "process.dlopen({ exports: {} }, 'x');"],
    ['debug-adapter/session.ts', "export const addon = 'build/chronofork.node';"],
    ['extension/extension.ts', "export const addon = '../build/chronofork.node';"],
  ];
  for (const [file, line] of forbidden) {
    it(`${file} may not say ${line}`, async () => {
      const messages = await complaints(file, line);
      ok(messages.length > 0, 'nothing was said');
    });
  }

  const allowed: [file: string, line: string][] = [
    ['extension/extension.ts', "import 'vscode';"],
    ['extension/extension.ts', "import '../debug-adapter/protocol/timeTravel.js';"],
    ['debug-adapter/session.ts', "import './protocol/timeTravel.js';"],
    ['debug-adapter/session.ts', "import '@vscode/debugadapter';"],
    ['debug-adapter/core/nativeCore.ts', "export const addon = 'build/chronofork.node';"],
  ];
  for (const [file, line] of allowed) {
    it(`${file} may say ${line}`, async () => {
      deepEqual(await complaints(file, line), []);
    });
  }
});
