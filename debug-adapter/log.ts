/**
 * Logging with a switch for each layer, like the core's:
 * `CHRONOFORK_LOG=dap:debug,gdb:info`, or one level for all. Lines go to
 * stderr, or to the file that CHRONOFORK_LOG_FILE names; stdout belongs to the
 * DAP. Off by default, and then a comparison of two numbers.
 */
import { appendFileSync } from 'node:fs';

const levels = ['off', 'error', 'info', 'debug', 'trace'] as const;
export type LogLevel = Exclude<(typeof levels)[number], 'off'>;

function levelFor(layer: string, setting: string): number {
  let level = 0;
  for (const part of setting.split(',')) {
    const [name, value] = part.includes(':') ? part.split(':') : [layer, part];
    if (name !== layer || value === undefined) continue;
    const found = levels.indexOf(value as LogLevel);
    if (found >= 0) level = found;
  }
  return level;
}

export class Log {
  private readonly level: number;

  constructor(private readonly layer: string) {
    this.level = levelFor(layer, process.env.CHRONOFORK_LOG ?? '');
  }

  enabled(level: LogLevel): boolean {
    return levels.indexOf(level) <= this.level;
  }

  write(level: LogLevel, text: string): void {
    if (!this.enabled(level)) return;
    const line = `${(performance.now() / 1000).toFixed(3)} ${this.layer} ${level}: ${text}\n`;
    const file = process.env.CHRONOFORK_LOG_FILE;
    if (file) appendFileSync(file, line);
    else process.stderr.write(line);
  }
}
