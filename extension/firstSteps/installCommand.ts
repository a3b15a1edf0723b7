/** The command that installs a package on this machine, by the package manager that it has. */
import { existsSync } from 'node:fs';

const managers: readonly { readonly path: string; readonly command: string }[] = [
  { path: '/usr/bin/apt-get', command: 'sudo apt-get install' },
  { path: '/usr/bin/dnf', command: 'sudo dnf install' },
  { path: '/usr/bin/zypper', command: 'sudo zypper install' },
  { path: '/usr/bin/pacman', command: 'sudo pacman -S' },
  { path: '/sbin/apk', command: 'sudo apk add' },
];

/** Undefined where the package manager is not known. */
export function installCommand(packages: string, exists: (path: string) => boolean = existsSync): string | undefined {
  const manager = managers.find(({ path }) => exists(path));
  return manager && `${manager.command} ${packages}`;
}

/** The first command that a sentence names: `… (Debian: sudo apt-get install gdb; …)`. */
export function commandIn(sentence: string): string | undefined {
  return /\b(?:sudo|sysctl|chmod|apt-get|dnf)\s[^;)\n]*/.exec(sentence)?.[0].trim().replace(/[.,]$/, '');
}
