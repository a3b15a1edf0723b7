/** How a person writes a moment of the run: a time, an event, or how far from here. Pure: no vscode. */

const units: Readonly<Record<string, number>> = {
  us: 0.001,
  µs: 0.001,
  ms: 1,
  s: 1000,
  sec: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
};

/**
 * `250 ms`, `1.5s`, `2 min 5 s`, `50 %` of the recording; with a sign, from
 * here: `-10 ms`. A bare number is milliseconds.
 *
 * @returns milliseconds of run time, undefined for what is no time
 */
export function parseTime(text: string, hereMs: number, endMs: number): number | undefined {
  const trimmed = text.trim().toLowerCase();
  const share = /^(\d+(?:\.\d+)?)\s*%$/.exec(trimmed);
  if (share) return (Number(share[1]) / 100) * endMs;
  if (trimmed === '') return undefined;
  const [, sign, rest = ''] = /^([+-])?\s*(.+)$/.exec(trimmed) ?? [];
  const length = parseLength(rest);
  if (length === undefined) return undefined;
  return sign === undefined ? length : Math.max(0, hereMs + (sign === '-' ? -length : length));
}

function parseLength(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  let total = 0;
  const rest = text.replace(/(\d+(?:\.\d+)?)\s*([a-zµ]+)\s*/g, (_, number: string, unit: string) => {
    total += Number(number) * (units[unit] ?? NaN);
    return '';
  });
  return rest === '' && Number.isFinite(total) ? total : undefined;
}

/** `4711`, or from here: `+3`, `-10`. */
export function parseEvent(text: string, here: number): number | undefined {
  const match = /^([+-])?\s*(\d+)$/.exec(text.trim());
  if (!match) return undefined;
  const number = Number(match[2]);
  if (match[1] === undefined) return number;
  return Math.max(0, here + (match[1] === '-' ? -number : number));
}
