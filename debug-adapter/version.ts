/** The version in package.json: of the checkout, or of the installed extension. */
import { readFileSync } from 'node:fs';
import { findResource } from './resources.js';

export function version(): string {
  const path = findResource('package.json');
  if (!path) return 'unknown';
  return String((JSON.parse(readFileSync(path, 'utf8')) as { version?: unknown }).version ?? 'unknown');
}
