/** Memory and instructions, by address. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { basename } from 'node:path';
import { ChronoforkError } from '../errors.js';
import { text, tuples } from '../gdb/miParser.js';
import type { Context, Handlers } from '../handlers.js';

function addressOf(reference: string, offset = 0): bigint {
  try {
    return BigInt.asUintN(64, BigInt(reference) + BigInt(offset));
  } catch {
    throw new ChronoforkError('invalidArguments', `"${reference}" is not an address.`);
  }
}

function hex(address: bigint): string {
  return `0x${address.toString(16)}`;
}

async function readMemory(
  context: Context,
  args: DebugProtocol.ReadMemoryArguments,
): Promise<DebugProtocol.ReadMemoryResponse['body']> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const address = addressOf(args.memoryReference, args.offset);
  if (args.count <= 0) return { address: hex(address), data: '' };
  let read: Buffer;
  try {
    const blocks = tuples(
      await debuggee.gdb.command(`-data-read-memory-bytes ${hex(address)} ${args.count}`),
      'memory',
    );
    const first = blocks.find((block) => BigInt(text(block, 'begin')) === address);
    read = Buffer.from(first ? text(first, 'contents') : '', 'hex');
  } catch {
    read = Buffer.alloc(0);
  }
  const missing = args.count - read.length;
  return { address: hex(address), data: read.toString('base64'), ...(missing > 0 ? { unreadableBytes: missing } : {}) };
}

async function writeMemory(
  context: Context,
  args: DebugProtocol.WriteMemoryArguments,
): Promise<DebugProtocol.WriteMemoryResponse['body']> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const data = Buffer.from(args.data, 'base64');
  const address = addressOf(args.memoryReference, args.offset);
  if (data.length > 0) await debuggee.gdb.command(`-data-write-memory-bytes ${hex(address)} ${data.toString('hex')}`);
  context.afterResponse(() => debuggee.changedByHand());
  return { bytesWritten: data.length, offset: args.offset ?? 0 };
}

interface InstructionEntry {
  address: string;
  text: string;
  bytes?: string;
  path?: string;
  line?: number;
  symbol?: string;
}

async function disassemble(
  context: Context,
  args: DebugProtocol.DisassembleArguments,
): Promise<DebugProtocol.DisassembleResponse['body']> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const address = addressOf(args.memoryReference, args.offset);
  const { missing, instructions } = await debuggee.gdb.call<{ missing: number; instructions: InstructionEntry[] }>(
    'disassemble',
    {
      address: hex(address),
      skip: args.instructionOffset ?? 0,
      count: args.instructionCount,
    },
  );
  const first = BigInt(instructions[0]?.address ?? hex(address));
  const shown: DebugProtocol.DisassembledInstruction[] = [];
  // The client asked for exactly so many lines: what cannot be decoded is marked.
  for (let i = missing; i > 0; i--) shown.push(unknownInstruction(first - BigInt(i)));
  for (const one of instructions) shown.push(instructionOf(one));
  let end = addressAfter(instructions.at(-1)) ?? address;
  while (shown.length < args.instructionCount) shown.push(unknownInstruction(end++));
  return { instructions: shown };
}

function addressAfter(last: InstructionEntry | undefined): bigint | undefined {
  return last && BigInt(last.address) + BigInt(last.bytes ? last.bytes.length / 2 : 1);
}

function unknownInstruction(address: bigint): DebugProtocol.DisassembledInstruction {
  return { address: hex(BigInt.asUintN(64, address)), instruction: '??', presentationHint: 'invalid' };
}

function instructionOf(one: InstructionEntry): DebugProtocol.DisassembledInstruction {
  return {
    address: one.address,
    instruction: one.text,
    ...(one.bytes ? { instructionBytes: one.bytes.replace(/..(?=.)/g, '$& ') } : {}),
    ...(one.symbol ? { symbol: one.symbol } : {}),
    ...(one.path ? { location: { name: basename(one.path), path: one.path }, line: one.line } : {}),
  };
}

export const memoryHandlers: Handlers = { readMemory, writeMemory, disassemble };
