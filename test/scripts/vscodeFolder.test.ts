/** What .vscode/ names exists: files, tasks, npm scripts, configurations of a compound. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../scripts/lib/run.mjs';

interface Configuration {
  name: string;
  type: string;
  program?: string;
  args?: string[];
  preLaunchTask?: string;
}

interface Launch {
  configurations: Configuration[];
  compounds: { name: string; configurations: string[] }[];
  inputs: { id: string }[];
}

interface Task {
  label: string;
  command: string;
}

/** Made by the build: each with the source it is made from. */
const builtFrom: Record<string, string> = {
  'dist/cli.cjs': 'debug-adapter/cli.ts',
  'build/native-tests': 'test/native',
};

function read<T>(file: string): T {
  const text = readFileSync(path.join(root, '.vscode', file), 'utf8');
  return JSON.parse(text.replace(/^\s*\/\/.*$/gm, '')) as T;
}

/** The files that a configuration's texts name by `${workspaceFolder}/…`, without patterns. */
function filesNamed(text: string): string[] {
  const named = [...text.matchAll(/\$\{workspaceFolder\}\/([^"\s]+)/g)].map(([, file]) => file ?? '');
  return named.filter((file) => !file.includes('*'));
}

describe('.vscode', () => {
  const launch = read<Launch>('launch.json');
  const { tasks } = read<{ tasks: Task[] }>('tasks.json');

  it('names files that exist, or that the build makes', () => {
    const named = launch.configurations.flatMap((configuration) => filesNamed(JSON.stringify(configuration)));
    assert.ok(named.length > 4);
    const absent = named.filter((file) => !existsSync(path.join(root, builtFrom[file] ?? file)));
    assert.deepEqual(absent, []);
    const programs = launch.configurations.map(({ program }) => program ?? '');
    assert.deepEqual(
      programs.filter((program) => program.startsWith('/') && !existsSync(program)),
      [],
    );
  });

  it('names tasks and configurations that there are', () => {
    const labels = tasks.map(({ label }) => label);
    for (const { name, preLaunchTask } of launch.configurations) {
      assert.ok(preLaunchTask === undefined || labels.includes(preLaunchTask), `${name}: ${preLaunchTask}`);
    }
    const names = launch.configurations.map(({ name }) => name);
    for (const { configurations } of launch.compounds)
      assert.deepEqual(
        configurations.filter((name) => !names.includes(name)),
        [],
      );
  });

  it('asks only what it has a question for', () => {
    const asked = [...JSON.stringify(launch.configurations).matchAll(/\$\{input:([^}]+)\}/g)].map(([, id]) => id);
    const known = launch.inputs.map(({ id }) => id);
    assert.deepEqual([...new Set(asked)], known);
  });

  it('runs scripts that there are', () => {
    const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    for (const { label, command } of tasks) {
      const [, npmScript] = /^npm (?:run )?(\S+)/.exec(command) ?? [];
      const [, file] = /^node (\S+)/.exec(command) ?? [];
      const there = npmScript === undefined ? file && existsSync(path.join(root, file)) : npmScript in scripts;
      assert.ok(there, `${label}: ${command}`);
    }
  });
});
