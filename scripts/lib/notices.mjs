/**
 * The licences of what is inside the package but not ours: the npm packages
 * that were bundled, Zydis, and GCC's runtime library.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { ScriptError, root } from './run.mjs';

const mit = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

/** Licences of packages that do not bring their text along: from their repositories. @type {Record<string, string>} */
const withoutFile = {
  '@vscode/l10n': `MIT License\n\nCopyright (c) Microsoft Corporation.\n\n${mit}`,
};

/**
 * @param {string[]} inputs the files that went into the bundles, from the root on
 * @param {string} [zydisLicense] a file
 * @returns {string}
 * @throws {ScriptError} when a bundled package has no licence text
 */
export function thirdPartyNotices(inputs, zydisLicense = '/usr/share/doc/libzydis-dev/copyright') {
  const folders = new Set();
  for (const input of inputs) {
    // The last node_modules counts: packages can be nested.
    const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
    if (folder) folders.add(folder);
  }
  const parts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8'));
    return section(`${name} ${version} (${license})`, licenseText(path.join(root, folder), name));
  });
  if (existsSync(zydisLicense)) parts.push(section('Zydis and Zycore (MIT)', readFileSync(zydisLicense, 'utf8')));
  parts.push(
    section(
      'libstdc++ and libgcc (GPL-3.0 with the GCC Runtime Library Exception)',
      'Linked into the addon as the exception allows; their sources are part of GCC, https://gcc.gnu.org.',
    ),
  );
  return `Chronofork contains the following works of others.\n\n${parts.join('\n')}`;
}

/**
 * @param {string} folder
 * @param {string} name
 */
function licenseText(folder, name) {
  const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  const known = file ? undefined : withoutFile[name];
  if (known) return known;
  if (!file) throw new ScriptError(`The bundled package ${name} has no licence text.`);
  return readFileSync(path.join(folder, file), 'utf8');
}

/**
 * @param {string} title
 * @param {string} text
 */
function section(title, text) {
  return `${title}\n${'='.repeat(title.length)}\n\n${text.trim()}\n`;
}
