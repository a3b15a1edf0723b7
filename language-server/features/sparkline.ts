/** Numbers as a row of bars: ▁▂▃▅▇. Pure. */

const bars = '▁▂▃▄▅▆▇█';
/** More are not told apart in a hover. */
const mostBars = 40;

/** The number that a value's text begins with; undefined for anything that is no plain number. */
export function numberOf(value: string): number | undefined {
  const text = /^(-?(?:0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?))(?:\s+'.*'|\s+<.*>)?$/i.exec(value.trim())?.[1];
  if (text === undefined) return undefined;
  const negative = text.startsWith('-');
  const number = Number(negative ? text.slice(1) : text);
  return Number.isFinite(number) ? (negative ? -number : number) : undefined;
}

/** The bars of the last values; undefined when they are not all numbers, or too few to see anything. */
export function sparkline(values: readonly string[]): string | undefined {
  const numbers = values.slice(-mostBars).map(numberOf);
  if (numbers.length < 3 || !numbers.every((one) => one !== undefined)) return undefined;
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const step = (high - low) / (bars.length - 1);
  return numbers.map((one) => bars[step === 0 ? 0 : Math.round((one - low) / step)]).join('');
}
