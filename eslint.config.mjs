/**
 * Lint rules; above all the directions in which the TypeScript layers may
 * import each other:
 *
 *     extension ──▶ debug-adapter/protocol ◀── debug-adapter ──▶ the addon
 *         │                    ▲
 *         └──▶ language-server/protocol, source ◀── language-server
 *
 * - protocol/ imports nothing: it is the contract with every client.
 * - debug-adapter/ never knows vscode: it serves any DAP client.
 * - extension/ knows vscode and the protocol, and reaches the adapter only
 *   through the DAP.
 * - language-server/ never knows vscode either, and of the adapter the protocol
 *   alone: it asks a session through its companion's connection. The command
 *   line is the one place that starts both.
 * - only core/nativeCore.ts loads the addon, and of the adapter's parts only
 *   core/ names it.
 *
 * Easy to get wrong: rules with the same name replace each other, they are not
 * merged; so each folder below has its own complete list.
 */
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/**
 * @param {string[]} files
 * @param {{ regex: string, message: string }[]} patterns
 */
function importDirections(files, patterns) {
  return { files, rules: { 'no-restricted-imports': ['error', { patterns }] } };
}

const noVscode = { regex: '^vscode$', message: 'The adapter serves any DAP client: it never knows VS Code.' };
const noServer = { regex: '(^|/)language-server/', message: 'The adapter knows no language server.' };
const noExtension = { regex: '(^|/)extension/', message: 'Only the extension may import the extension.' };

const addonWords = 'chronofork\\.node';
const onlyNativeCore = [
  {
    selector: `Literal[value=/${addonWords}/]`,
    message: 'Only debug-adapter/core/nativeCore.ts loads the addon; take a Core or CoreModule instead.',
  },
  {
    selector: "CallExpression[callee.name='createRequire']",
    message: 'require() is for loading the addon, and only debug-adapter/core/nativeCore.ts does that.',
  },
  {
    selector: "CallExpression[callee.object.name='process'][callee.property.name='dlopen']",
    message: 'Only debug-adapter/core/nativeCore.ts loads the addon.',
  },
];

/** Texts that people read go through `l10n.t`: a literal with letters and a blank, or a first capital, is taken for one. */
const literalText =
  'Literal[value=/^[A-Z].*[a-z]|[a-z] [a-z]/], TemplateLiteral[quasis.0.value.raw=/^[A-Z].*[a-z]|[a-z] [a-z]/]';
const shownProperties = '/^(title|prompt|placeHolder|placeholder|label|detail|tooltip|description|message|openLabel)$/';
const shownCalls = '/^(show(Information|Warning|Error)Message|setStatusBarMessage|tell)$/';
const translated = [
  ...literalText
    .split(', ')
    .flatMap((literal) => [
      `Property[key.name=${shownProperties}] > ${literal}`,
      `Property[key.name=${shownProperties}] > ConditionalExpression > ${literal}`,
      `AssignmentExpression[left.property.name=${shownProperties}] > ${literal}`,
      `CallExpression[callee.property.name=${shownCalls}] > ${literal}`,
      `CallExpression[callee.name=${shownCalls}] > ${literal}`,
      `NewExpression[callee.name='Error'] > ${literal}`,
    ]),
].map((selector) => ({ selector, message: "People read this: l10n.t('…'), from @vscode/l10n." }));

export default tseslint.config(
  { ignores: ['build/', 'dist/', 'node_modules/', 'test-results/', 'test/workbench/vscode/'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx'], location: 'anywhere' }],
      'prefer-const': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    // A promise that nobody waits for hides its error; only the typed sources can be checked for it.
    files: [
      'extension/**/*.ts',
      'debug-adapter/**/*.ts',
      'language-server/**/*.ts',
      'scripts/**/*.ts',
      'bench/**/*.ts',
    ],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
    },
  },
  {
    files: ['**/*.mjs', '**/*.cjs', '**/*.js'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        AbortController: 'readonly',
        AbortSignal: 'readonly',
        fetch: 'readonly',
        performance: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        setImmediate: 'readonly',
        // In the pages that the workbench tests drive.
        document: 'readonly',
        window: 'readonly',
        globalThis: 'readonly',
      },
    },
  },
  {
    // What runs inside a webview.
    files: ['media/**/*.js'],
    languageOptions: { globals: { acquireVsCodeApi: 'readonly', document: 'readonly', window: 'readonly' } },
  },
  {
    // A CommonJS shim has no other way.
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs', globals: { require: 'readonly', module: 'writable' } },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
  importDirections(['debug-adapter/**/*.ts'], [noVscode, noExtension, noServer]),
  importDirections(['debug-adapter/cli.ts'], [noVscode, noExtension]),
  importDirections(
    ['language-server/**/*.ts'],
    [
      noVscode,
      noExtension,
      {
        regex: 'debug-adapter/(?!protocol/|version\\.js$)',
        message: 'The language server asks a session through its companion connection; it may import protocol/ only.',
      },
    ],
  ),
  importDirections(
    ['language-server/protocol/**/*.ts'],
    [{ regex: '.', message: 'The protocol is the contract with every client: it imports nothing.' }],
  ),
  // After the rule for the whole adapter, because the last one wins.
  importDirections(
    ['debug-adapter/protocol/**/*.ts'],
    [{ regex: '.', message: 'The protocol is the contract with every client: it imports nothing.' }],
  ),
  importDirections(
    ['extension/**/*.ts'],
    [
      {
        regex: 'debug-adapter/(?!protocol/)',
        message: 'The extension reaches the adapter through the DAP; it may import debug-adapter/protocol only.',
      },
      {
        regex: 'language-server/(?!protocol/|source/)',
        message: 'The extension reaches the language server through LSP; it may import its protocol and source only.',
      },
      {
        regex: '^(@vscode/debugadapter|\\.\\./native|\\.\\./build)',
        message: 'The extension may import vscode and debug-adapter/protocol only.',
      },
    ],
  ),
  {
    files: ['extension/**/*.ts', 'debug-adapter/**/*.ts', 'language-server/**/*.ts'],
    ignores: ['debug-adapter/core/nativeCore.ts'],
    rules: { 'no-restricted-syntax': ['error', ...onlyNativeCore] },
  },
  {
    // After the rule for both, because the last one wins.
    files: ['extension/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...onlyNativeCore, ...translated] },
  },
);
