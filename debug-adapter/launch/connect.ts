/** What launch and attach do alike: gdb is connected to the core, and told what the user wants of it. */
import { sendOutput, type Client } from '../client.js';
import type { Core } from '../core/core.js';
import { ChronoforkError } from '../errors.js';
import type { MiConnection } from '../gdb/miConnection.js';
import { quoteMi, text, tuples } from '../gdb/miParser.js';
import type { SessionConfig } from './options.js';

/** Before the core has a program, which may have something to say itself. */
export function tellNotices(core: Core, client: Client): void {
  core.on('notice', (severity, message) => {
    client.send('chronofork/notice', { severity, message });
    sendOutput(client, severity === 'info' ? 'console' : 'important', `${message}\n`);
  });
}

/** @throws ChronoforkError 'gdbRefused' for a setup command that fails */
export async function connectGdb(
  gdb: MiConnection,
  config: SessionConfig,
  program: string,
  gdbSocket: string,
): Promise<void> {
  for (const [from, to] of Object.entries(config.sourceMap))
    await gdb.command(`-gdb-set substitute-path ${quoteMi(from)} ${quoteMi(to)}`);
  for (const setup of config.setupCommands) {
    try {
      await gdb.console(setup.text);
    } catch (error) {
      if (!setup.ignoreFailures) throw setupFailed(setup.text, error);
    }
  }
  await gdb.command(`-file-exec-and-symbols ${quoteMi(program)}`);
  await gdb.command(`-target-select remote ${gdbSocket}`);
}

/** Says so when stepping will go by instruction. */
export async function tellIfNoSymbols(gdb: MiConnection, program: string, client: Client): Promise<void> {
  if (await hasSourceLines(gdb, program)) return;
  sendOutput(
    client,
    'important',
    `"${program}" has no debug information: stepping goes by instruction. Build it with -g to see its source.\n`,
  );
}

async function hasSourceLines(gdb: MiConnection, program: string): Promise<boolean> {
  const { known } = await gdb.call<{ known: boolean }>('main_has_lines');
  if (known) return true;
  const files = tuples(await gdb.command('-file-list-exec-source-files --group-by-objfile'), 'files');
  const own = files.find((file) => text(file, 'filename') === program);
  return own !== undefined && text(own, 'debug-info') !== 'none';
}

function setupFailed(command: string, error: unknown): ChronoforkError {
  const why = error instanceof Error ? error.message : String(error);
  return new ChronoforkError(
    'gdbRefused',
    `gdb refused the setup command "${command}": ${why}`,
    'Correct "setupCommands", or give it as {"text": …, "ignoreFailures": true}.',
  );
}
