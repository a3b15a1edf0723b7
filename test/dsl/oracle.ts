/** What a small program really does, found by single-stepping it in plain gdb: see oracle.py. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import type { Program } from './programs.js';

export interface OracleQuestion {
  /** Marks. */
  until: string;
  lines: string[];
  values: { name: string; at: string; expression: string; condition?: string }[];
  /** Global variables; only writes that change them are seen. */
  watch: string[];
  functions: string[];
}

export interface OracleAnswer {
  counts: Record<string, number>;
  values: Record<string, string[]>;
  writes: Record<string, { old: string; new: string; line: number }[]>;
  calls: Record<string, { arguments: string[]; returned: boolean; rax?: string }[]>;
  steps: number;
}

export function askOracle(program: Program, question: OracleQuestion): OracleAnswer {
  const line = (mark: string) => {
    const found = program.marks.get(mark);
    if (found === undefined) throw new Error(`${program.name} has no mark "${mark}"`);
    return found;
  };
  const asked = {
    file: path.basename(program.source),
    until: line(question.until),
    lines: question.lines.map(line),
    values: question.values.map(({ at, ...value }) => ({ ...value, line: line(at) })),
    watch: question.watch,
    functions: question.functions,
  };
  const script = path.join(import.meta.dirname, 'oracle.py');
  const output = execFileSync('gdb', ['-nx', '-q', '-batch', '-x', script, program.executable], {
    encoding: 'utf8',
    env: { ...process.env, ORACLE: JSON.stringify(asked), DEBUGINFOD_URLS: '' },
    maxBuffer: 1 << 26,
  });
  const told = /^ORACLE(.*)$/m.exec(output)?.[1];
  if (!told) throw new Error(`the oracle did not answer: ${output}`);
  const answer = JSON.parse(told) as OracleAnswer;
  answer.counts = Object.fromEntries(question.lines.map((mark) => [mark, answer.counts[String(line(mark))]!]));
  return answer;
}
