/**
 * `chronofork doctor`: what this machine allows, found out by trying, and what
 * to do about what it does not. Exit code 0 when all that is required works.
 */
import type { Capability } from '../core/core.js';
import { loadNativeCore } from '../core/nativeCore.js';
import { expectedError, messageOf } from '../errors.js';
import { askGdb, oldestGdb, startGdb } from '../gdb/gdbStart.js';
import { version } from '../version.js';

type UsageErrorClass = new (message: string) => Error;

async function gdbCapability(path: string): Promise<Capability> {
  const name = `gdb ${oldestGdb} or later, with Python`;
  try {
    const { gdb } = await startGdb(path);
    try {
      const facts = await askGdb(gdb);
      return { name, ok: true, detail: `${facts.version}, with Python`, remedy: '', required: true };
    } finally {
      await gdb.quit();
    }
  } catch (error) {
    const known = expectedError(error);
    return { name, ok: false, detail: known?.message ?? messageOf(error), remedy: known?.remedy ?? '', required: true };
  }
}

function nodeCapability(): Capability {
  const major = Number(process.versions.node.split('.')[0]);
  return {
    name: 'Node 20 or later',
    ok: major >= 20,
    detail: process.versions.node,
    remedy: 'Install a newer Node.js.',
    required: true,
  };
}

function kernelCapabilities(): Capability[] {
  try {
    return loadNativeCore().probeKernel();
  } catch (error) {
    const known = expectedError(error);
    return [
      {
        name: 'native core',
        ok: false,
        detail: known?.message ?? messageOf(error),
        remedy: known?.remedy ?? '',
        required: true,
      },
    ];
  }
}

function table(capabilities: Capability[]): string {
  const width = Math.max(...capabilities.map(({ name }) => name.length));
  const lines = capabilities.map(({ name, ok, detail, remedy, required }) => {
    const mark = ok ? 'ok     ' : required ? 'MISSING' : 'absent ';
    const line = `${mark}  ${name.padEnd(width)}  ${detail}`.trimEnd();
    return ok || !remedy ? line : `${line}\n${' '.repeat(11)}→ ${remedy}`;
  });
  const missing = capabilities.filter(({ ok, required }) => required && !ok).length;
  const verdict =
    missing === 0
      ? 'Chronofork can work here.'
      : `Chronofork cannot work here: ${missing} of what it needs is missing.`;
  return `chronofork ${version()}\n\n${lines.join('\n')}\n\n${verdict}\n`;
}

export async function doctorCommand(args: string[], UsageError: UsageErrorClass): Promise<number> {
  const json = args.includes('--json');
  const gdbOption = args.find((arg) => arg.startsWith('--gdb='));
  const unknown = args.find((arg) => arg !== '--json' && arg !== gdbOption);
  if (unknown !== undefined) throw new UsageError(`doctor does not know ${unknown}`);
  const capabilities = [nodeCapability(), await gdbCapability(gdbOption?.slice(6) ?? 'gdb'), ...kernelCapabilities()];
  const ok = capabilities.every((one) => one.ok || !one.required);
  process.stdout.write(
    json ? `${JSON.stringify({ version: version(), ok, capabilities }, null, 2)}\n` : table(capabilities),
  );
  return ok ? 0 : 1;
}
