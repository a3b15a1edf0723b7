/**
 * Checks the directions in which the native core's folders include each other:
 *
 *     addon → rsp → timeline → {record, replay, checkpoint, probe, callbuffer} → tracee → kernel → base
 *
 * - A folder includes only itself and what is below it. The five siblings may
 *   include each other as long as no circle comes of it.
 * - Only tracee/ includes <sys/ptrace.h> (or calls ptrace in another way), only
 *   addon/ includes <napi.h>.
 * - Own headers are named from native/ on ("base/result.h") and exist.
 *
 * The tests (test/native) may include everything, and headers beside themselves;
 * for them only the last rule holds.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isMain, root, runMain } from './lib/run.mjs';
import { cppFiles } from './lib/sources.mjs';

/** From the bottom up; a folder may include those in earlier rows, and its siblings in the same row. */
export const layers = [
  ['base'],
  ['kernel'],
  ['tracee'],
  ['record', 'replay', 'checkpoint', 'probe', 'callbuffer'],
  ['timeline'],
  ['rsp'],
  ['addon'],
];

/** Headers that belong to one folder. @type {{ header: RegExp, folder: string, why: string }[]} */
const owned = [
  { header: /^(sys|linux|asm)\/ptrace\.h$/, folder: 'tracee', why: 'only native/tracee calls ptrace' },
  { header: /^(napi|node_api|js_native_api).*\.h$/, folder: 'addon', why: 'only native/addon knows Node' },
];

/**
 * @param {{ file: string, text: string }[]} sources paths from the root on
 * @param {(header: string, folder: string) => boolean} headerExists of a header named from a folder on
 * @returns {string[]} one line for each violation
 */
export function findViolations(sources, headerExists) {
  const violations = [];
  /** Sibling → sibling, with the place that says so. @type {Map<string, Map<string, string>>} */
  const siblings = new Map();
  for (const { file, text } of sources) {
    const folder = /^native\/(\w+)\//.exec(file)?.[1];
    const rank = folder === undefined ? -1 : layers.findIndex((row) => row.includes(folder));
    if (folder !== undefined && rank < 0) violations.push(`${file}: the folder native/${folder} is in no layer`);
    text.split('\n').forEach((line, index) => {
      const place = `${file}:${index + 1}`;
      if (folder && folder !== 'tracee' && /\bSYS_ptrace\b|\b__NR_ptrace\b/.test(line.replace(/\/\/.*/, ''))) {
        // The table of system calls names it as a number to look up, which is no call.
        if (/syscall\s*\(/.test(line)) violations.push(`${place}: only native/tracee calls ptrace`);
      }
      const included = /^\s*#\s*include\s+([<"])([^>"]+)[>"]/.exec(line);
      if (!included) return;
      const [, bracket, header] = included;
      for (const rule of owned) {
        if (folder && folder !== rule.folder && rule.header.test(header)) violations.push(`${place}: ${rule.why}`);
      }
      if (bracket !== '"') return;
      const besideTest = folder === undefined && headerExists(header, path.dirname(file));
      if (besideTest) return;
      if (!headerExists(header, 'native')) {
        violations.push(`${place}: there is no native/${header}; name own headers from native/ on`);
        return;
      }
      if (rank < 0 || folder === undefined) return;
      const target = header.split('/')[0];
      const targetRank = layers.findIndex((row) => row.includes(target));
      if (targetRank > rank) violations.push(`${place}: ${folder} is below ${target} and must not include it`);
      if (targetRank === rank && target !== folder) {
        if (!siblings.has(folder)) siblings.set(folder, new Map());
        siblings.get(folder)?.set(target, place);
      }
    });
  }
  return [...violations, ...findCircles(siblings)];
}

/** @param {Map<string, Map<string, string>>} graph */
function findCircles(graph) {
  /** @type {string[]} */
  const found = [];
  /** @type {Set<string>} */
  const done = new Set();
  /**
   * @param {string} folder
   * @param {string[]} way
   */
  const visit = (folder, way) => {
    if (way.includes(folder)) {
      const circle = [...way.slice(way.indexOf(folder)), folder];
      const places = circle.slice(1).map((target, i) => graph.get(circle[i])?.get(target));
      found.push(`${places.join(', ')}: ${circle.join(' → ')} is a circle`);
      return;
    }
    if (done.has(folder)) return;
    for (const target of graph.get(folder)?.keys() ?? []) visit(target, [...way, folder]);
    done.add(folder);
  };
  for (const folder of graph.keys()) visit(folder, []);
  return found;
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    const sources = cppFiles().map((file) => ({ file, text: readFileSync(path.join(root, file), 'utf8') }));
    const violations = findViolations(sources, (header, folder) => existsSync(path.join(root, folder, header)));
    for (const violation of violations) console.error(violation);
    return violations.length > 0 ? 1 : 0;
  });
}
