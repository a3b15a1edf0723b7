/**
 * Builds libZydis.a from Debian's source package, because Debian has Zydis as
 * a shared library only, and the packaged addon may need nothing but glibc.
 *
 * Zydis uses headers of its sister library Zycore but none of its functions,
 * so one archive is enough; that is checked, not assumed.
 *
 * Easy to get wrong: the addon is compiled against the headers in
 * /usr/include, so the source must be of the very same version.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SourceUnavailable, fetchDebianSource } from '../fetch-debian-source.mjs';
import { ScriptError, capture, root } from './run.mjs';

const thirdParty = path.join(root, 'build/third-party');
const flags = ['-O2', '-fPIC', '-fvisibility=hidden', '-DZYDIS_STATIC_BUILD', '-DZYCORE_STATIC_BUILD'];

/**
 * @returns {Promise<{ archive: string, license: string }>} paths; made in seconds the first time, then at once
 * @throws {SourceUnavailable} when the sources cannot be had, or are of another version
 */
export async function staticZydis() {
  const source = await fetchDebianSource('zydis', thirdParty);
  const ours = zydisVersion('/usr/include/Zydis/Zydis.h');
  const theirs = zydisVersion(path.join(source, 'include/Zydis/Zydis.h'));
  if (ours === undefined || ours !== theirs) {
    throw new SourceUnavailable(`Zydis's source is version ${theirs}, but the headers here are ${ours ?? 'missing'}.`);
  }
  const archive = path.join(thirdParty, 'libZydis.a');
  const stamp = path.join(thirdParty, '.libZydis.stamp');
  const wanted = createHash('sha256')
    .update(`${ours} ${flags.join(' ')}`)
    .digest('hex');
  if (!existsSync(archive) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    compile(source, archive);
    writeFileSync(stamp, wanted);
  }
  return { archive, license: path.join(source, 'LICENSE') };
}

/** @param {string} header */
function zydisVersion(header) {
  if (!existsSync(header)) return undefined;
  return /define ZYDIS_VERSION\s+\(ZyanU64\)(0x[0-9a-fA-F]+)/.exec(readFileSync(header, 'utf8'))?.[1];
}

/**
 * @param {string} source
 * @param {string} archive
 */
function compile(source, archive) {
  const objects = path.join(thirdParty, 'zydis-objects');
  rmSync(objects, { recursive: true, force: true });
  mkdirSync(objects, { recursive: true });
  const files = readdirSync(path.join(source, 'src')).filter((file) => file.endsWith('.c'));
  const made = files.map((file) => {
    const object = path.join(objects, file.replace(/\.c$/, '.o'));
    const includes = [`-I${path.join(source, 'include')}`, `-I${path.join(source, 'src')}`];
    must('gcc', [...flags, ...includes, '-c', '-o', object, path.join(source, 'src', file)]);
    return object;
  });
  rmSync(archive, { force: true });
  must('ar', ['rcs', archive, ...made]);
  const missing = capture('nm', ['--undefined-only', archive]).stdout.match(/\bZyan\w+/g);
  if (missing) throw new ScriptError(`Zydis needs functions of Zycore: ${[...new Set(missing)].join(', ')}.`);
}

/**
 * @param {string} command
 * @param {string[]} args
 */
function must(command, args) {
  const { status, stderr } = capture(command, args);
  if (status !== 0) throw new ScriptError(`${command} ${args.join(' ')} failed:\n${stderr}`);
}
