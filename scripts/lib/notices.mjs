/**
 * The licences of what is inside the package but not ours: the npm packages
 * that were bundled, Zydis, and GCC's runtime library.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { ScriptError, root } from './run.mjs';

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
