/**
 * Keeps what people read translatable: texts of the extension's code in
 * l10n/bundle.l10n.json (as `l10n.t` finds them), texts of package.json in
 * package.nls.json, package.json holding their keys.
 *
 *     node scripts/l10n.mjs            writes both, and moves new literals out of package.json
 *     node scripts/l10n.mjs --check    only compares
 *
 * A literal that is shown without `l10n.t` is eslint's to find.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { getL10nJson } from '@vscode/l10n-dev';
import prettier from 'prettier';
import { isMain, root, runMain } from './lib/run.mjs';
import { matchingFiles } from './lib/sources.mjs';

const bundleFile = 'l10n/bundle.l10n.json';
const manifestFile = 'package.json';
const nlsFile = 'package.nls.json';

/** Attributes of `contributes` that people read. */
const readable = new Set(
  'title label description markdownDescription contents contextualTitle altText enumDescriptions'.split(' '),
);
/** What identifies a member of a list, the first that it has. */
const names = ['id', 'command', 'type', 'label', 'view'];

/** Not texts: a snippet's body, a default, a menu's conditions. */
const opaque = new Set(['body', 'default', 'menus', 'keybindings', 'variables', 'languages']);

/**
 * Replaces the texts of package.json by keys.
 * @param {any} manifest changed in place
 * @param {Record<string, string>} texts what the keys mean; added to
 */
export function moveTexts(manifest, texts) {
  /** @type {Map<string, string>} */
  const used = new Map();
  /** @param {string} key @param {string} text */
  const keyFor = (key, text) => {
    if (/^%.+%$/.test(text)) return text;
    let free = key;
    for (let number = 2; (used.get(free) ?? texts[free] ?? text) !== text; number++) free = `${key}.${number}`;
    used.set(free, text);
    texts[free] = text;
    return `%${free}%`;
  };
  /** @param {any} node @param {string} at */
  const walk = (node, at) => {
    if (Array.isArray(node)) {
      node.forEach((member, index) => {
        if (typeof member === 'object' && member !== null) walk(member, `${at}.${nameOf(member, index)}`);
      });
      return;
    }
    if (typeof node !== 'object' || node === null) return;
    for (const [name, value] of Object.entries(node)) {
      if (opaque.has(name)) continue;
      const isText = readable.has(name) || (name === 'name' && at.startsWith('views.'));
      if (isText && typeof value === 'string') node[name] = keyFor(`${at}.${name}`, value);
      else if (isText && Array.isArray(value))
        node[name] = value.map((text, index) => keyFor(`${at}.${name}.${index}`, text));
      else walk(value, at === '' ? name : `${at}.${name}`);
    }
  };
  walk(manifest.contributes, '');
}

/** @param {any} member @param {number} index */
function nameOf(member, index) {
  const found = names.map((name) => member[name]).find((value) => typeof value === 'string' && !value.startsWith('%'));
  return String(found ?? index)
    .replace(/^chronofork\./, '')
    .replace(/[^\w.]+/g, '-');
}

/** The keys that package.json names. @param {string} text */
function keysIn(text) {
  return [...text.matchAll(/"%([^"%]+)%"/g)].map(([, key]) => key);
}

/** @param {string} file */
const read = (file) => {
  try {
    return readFileSync(path.join(root, file), 'utf8');
  } catch {
    return '';
  }
};

/** @param {string} file @param {unknown} value */
async function formatted(file, value) {
  const options = (await prettier.resolveConfig(path.join(root, file))) ?? {};
  return prettier.format(JSON.stringify(value, null, 2), { ...options, filepath: file });
}

/** What the three files should be. @returns {Promise<Record<string, string>>} */
export async function wanted() {
  const sources = matchingFiles(['extension/**/*.ts']);
  const bundle = await getL10nJson(
    sources.map((file) => ({ extension: '.ts', contents: readFileSync(path.join(root, file), 'utf8') })),
  );
  const manifest = JSON.parse(read(manifestFile));
  /** @type {Record<string, string>} */
  const texts = JSON.parse(read(nlsFile) || '{}');
  moveTexts(manifest, texts);
  const manifestText = await formatted(manifestFile, manifest);
  const used = keysIn(manifestText);
  const missing = used.filter((key) => texts[key] === undefined);
  if (missing.length > 0) throw new Error(`${nlsFile} has no ${missing.join(', no ')}`);
  const sorted = Object.fromEntries(used.map((key) => [key, texts[key]]));
  const keys = Object.keys(bundle).sort();
  return {
    [bundleFile]: await formatted(bundleFile, Object.fromEntries(keys.map((key) => [key, bundle[key]]))),
    [manifestFile]: manifestText,
    [nlsFile]: await formatted(nlsFile, sorted),
  };
}

/** @param {string[]} args */
async function main(args) {
  const files = await wanted();
  const stale = Object.entries(files).filter(([file, text]) => read(file) !== text);
  if (args.includes('--check')) {
    for (const [file] of stale) console.error(`${file} does not have all texts: run node scripts/l10n.mjs`);
    return stale.length > 0 ? 1 : 0;
  }
  mkdirSync(path.join(root, 'l10n'), { recursive: true });
  for (const [file, text] of stale) writeFileSync(path.join(root, file), text);
  console.log(
    `${Object.keys(JSON.parse(files[bundleFile])).length} texts of the code, ${Object.keys(JSON.parse(files[nlsFile])).length} of package.json`,
  );
  return 0;
}

if (isMain(import.meta.url)) await runMain(() => main(process.argv.slice(2)));
