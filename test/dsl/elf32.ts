/**
 * A real program of 32 bits, made by hand: it says "ready" and waits. No
 * compiler for such programs is needed.
 */
import { chmodSync, writeFileSync } from 'node:fs';

// mov eax, 4; mov ebx, 1; mov ecx, text; mov edx, 6; int 0x80: write(1, "ready\n", 6)
// mov eax, 29; int 0x80: pause(), for ever
const base = 0x8048000;
const codeAt = 52 + 32;
const code = (text: number): number[] => [
  ...[0xb8, 4, 0, 0, 0, 0xbb, 1, 0, 0, 0, 0xb9, ...little(text, 4), 0xba, 6, 0, 0, 0, 0xcd, 0x80],
  ...[0xb8, 29, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7],
];

function little(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => (value >>> (8 * i)) & 0xff);
}

/** Writes it to `file`. */
export function writeElf32(file: string): void {
  const textAt = codeAt + code(0).length;
  const whole = [...code(base + textAt), ...Buffer.from('ready\n')];
  const size = codeAt + whole.length;
  const words = (...values: number[]) => values.flatMap((value) => little(value, 4));
  const header = [
    ...[0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, ...new Array<number>(9).fill(0)],
    ...[...little(2, 2), ...little(3, 2)], // ET_EXEC, EM_386
    ...words(1, base + codeAt, 52, 0, 0),
    ...[52, 32, 1, 40, 0, 0].flatMap((value) => little(value, 2)),
  ];
  const segment = words(1, 0, base, base, size, size, 5, 4096); // PT_LOAD, readable and executable
  writeFileSync(file, Buffer.from([...header, ...segment, ...whole]));
  chmodSync(file, 0o755);
}
