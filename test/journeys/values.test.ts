/** Values: pretty-printers, pages, changes, expressions, memory, instructions. */
import assert from 'node:assert/strict';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { debugTest, type Journey } from '../dsl/debugTest.js';

async function local(s: Journey, name: string): Promise<DebugProtocol.Variable> {
  const found = (await s.locals()).find((variable) => variable.name === name);
  assert.ok(found, `there is a local variable ${name}`);
  return found;
}

describe('values', () => {
  debugTest('are shown through pretty-printers, by page', 'shapes.cc', async (s) => {
    await s.breakAt('ready');
    await s.run();
    const numbers = await local(s, 'numbers');
    assert.equal(numbers.indexedVariables, 1000);
    const page = await s.children(numbers.variablesReference, { filter: 'indexed', start: 500, count: 3 });
    assert.deepEqual(
      page.map(({ name, value }) => [name, value]),
      [
        ['[500]', '250000'],
        ['[501]', '251001'],
        ['[502]', '252004'],
      ],
    );
    const ages = await local(s, 'ages');
    assert.deepEqual(
      (await s.children(ages.variablesReference)).map(({ name, value }) => `${name}=${value}`),
      ['["ann"]=31', '["bob"]=42'],
    );
    assert.equal((await local(s, 'text')).value, '"grün"');
    assert.equal((await local(s, 'empty')).variablesReference, 0);
  });

  debugTest('of objects show the class they really have', 'shapes.cc', async (s) => {
    await s.breakAt('ready');
    await s.run();
    const plain = await local(s, 'plain');
    const members = await s.children(plain.variablesReference);
    assert.equal(members.find(({ name }) => name === 'side')?.value, '3');
    const base = members.find(({ name }) => name === 'Shape');
    assert.ok(base && base.variablesReference > 0);
    const matrix = await local(s, 'matrix');
    const [, second] = await s.children(matrix.variablesReference);
    assert.equal(second?.value, '{4, 5, 6}');
    assert.equal(second?.evaluateName, '(matrix)[1]');
    assert.equal(await s.evaluate(`${second?.evaluateName}[2]`), '6');
  });

  debugTest('can be changed, by name, inside others, and through a printer', 'shapes.cc', async (s) => {
    await s.breakAt('ready');
    await s.run();
    const { scopes } = await s.client.request<DebugProtocol.ScopesResponse['body']>('scopes', {
      frameId: s.last?.stackFrame?.id,
    });
    const set = (variablesReference: number, name: string, value: string) =>
      s.client.request<DebugProtocol.SetVariableResponse['body']>('setVariable', { variablesReference, name, value });
    assert.equal((await set(scopes[0]!.variablesReference, 'sum', '2.5')).value, '2.5');
    assert.equal(await s.evaluate('sum'), '2.5');
    const numbers = await local(s, 'numbers');
    assert.equal((await set(numbers.variablesReference, '[150]', '-1')).value, '-1');
    assert.equal(await s.evaluate('numbers[150]'), '-1');
    const matrix = await local(s, 'matrix');
    const [row] = await s.children(matrix.variablesReference);
    await set(row!.variablesReference, '[2]', '33');
    assert.equal(await s.evaluate('matrix[0][2]'), '33');
    const refused = await s.client.refusal('setVariable', {
      variablesReference: scopes[0]!.variablesReference,
      name: 'sum',
      value: 'nonsense',
    });
    assert.match(refused.message, /No symbol "nonsense"/);
    const registers = scopes.find(({ presentationHint }) => presentationHint === 'registers')!;
    await set(registers.variablesReference, 'r15', '0x1234');
    assert.equal(await s.evaluate('$r15,x'), '0x1234');
  });

  debugTest('of expressions, in every context', 'bank.c', async (s) => {
    await s.breakAt('deposit');
    await s.run();
    assert.equal(await s.evaluate('account->balance + amount'), '110');
    assert.equal(await s.evaluate('amount,x'), '0xa');
    assert.equal(await s.evaluate('amount', { format: { hex: true } }), '0xa');
    assert.equal(await s.evaluate('deposit(account, 5)', { context: 'repl' }), '5');
    const frames = await s.stack();
    assert.equal(await s.evaluate('mine.balance', { frameId: frames[1]?.id }), '105');
    const hover = await s.client.refusal('evaluate', {
      expression: 'deposit(account, 5)',
      context: 'hover',
      frameId: s.last?.stackFrame?.id,
    });
    assert.match(hover.message, /call/i);
    const console = await s.evaluate('-exec info line', { context: 'repl' });
    assert.match(console, /Line \d+ of/);
    const unknown = await s.client.refusal('evaluate', { expression: 'nobody', context: 'watch' });
    assert.match(unknown.message, /No symbol "nobody"/);
    assert.equal(unknown.id, 1105);
  });

  debugTest('complete themselves in the console', 'bank.c', async (s) => {
    await s.breakAt('deposit');
    await s.run();
    const ask = async (text: string) => {
      const { targets } = await s.client.request<DebugProtocol.CompletionsResponse['body']>('completions', {
        text,
        column: text.length + 1,
        frameId: s.last?.stackFrame?.id,
      });
      return targets.map(
        ({ label, start = 0, length = 0 }) => text.slice(0, start) + label + text.slice(start + length),
      );
    };
    assert.deepEqual(await ask('account->bal'), ['account->balance']);
    assert.ok((await ask('-exec info breakp')).includes('-exec info breakpoints'));
  });

  debugTest('are bytes underneath', 'bank.c', async (s) => {
    await s.breakAt('deposit');
    await s.run();
    const address = await s.evaluate('&account->balance');
    const reference = /0x[0-9a-f]+/.exec(address)![0];
    const read = (more: object) =>
      s.client.request<NonNullable<DebugProtocol.ReadMemoryResponse['body']>>('readMemory', {
        memoryReference: reference,
        ...more,
      });
    assert.equal(Buffer.from((await read({ count: 4 })).data!, 'base64').readInt32LE(), 100);
    await s.client.request('writeMemory', {
      memoryReference: reference,
      data: Buffer.from([1, 2, 0, 0]).toString('base64'),
    });
    assert.equal(await s.evaluate('account->balance'), '513');
    const nothing = await s.client.request<NonNullable<DebugProtocol.ReadMemoryResponse['body']>>('readMemory', {
      memoryReference: '0x0',
      count: 8,
    });
    assert.equal(nothing.unreadableBytes, 8);
  });

  debugTest('are those of what lies there now, not of the code that lay there', 'remade.c', async (s) => {
    await s.walk(`
      break code
      break data
      break protected
      run               -> code
      value place[0]+0  -> 72
      continue          -> data
      value place[0]+0  -> 7
      continue          -> protected
      value place[0]+0  -> 7
      reverseContinue   -> data
      value place[0]+0  -> 7
      reverseContinue   -> code
      value place[0]+0  -> 72
    `);
  });

  debugTest('are made by instructions, before and after the pc', 'bank.c', async (s) => {
    await s.breakAt('deposit');
    await s.run();
    const pc = s.last!.stackFrame!.instructionPointerReference!;
    const { instructions } = await s.client.request<NonNullable<DebugProtocol.DisassembleResponse['body']>>(
      'disassemble',
      {
        memoryReference: pc,
        instructionOffset: -4,
        instructionCount: 10,
      },
    );
    assert.equal(instructions.length, 10);
    assert.equal(BigInt(instructions[4]!.address), BigInt(pc));
    assert.equal(instructions[4]!.line, s.line('deposit'));
    const far = await s.client.request<NonNullable<DebugProtocol.DisassembleResponse['body']>>('disassemble', {
      memoryReference: '0x10',
      instructionOffset: -2,
      instructionCount: 5,
    });
    assert.deepEqual(
      far.instructions.map(({ presentationHint }) => presentationHint),
      Array(5).fill('invalid'),
    );
  });

  debugTest('come with modules and sources', 'bank.c', async (s) => {
    await s.breakAt('deposit');
    await s.run();
    const { modules } = await s.client.request<DebugProtocol.ModulesResponse['body']>('modules');
    assert.ok(modules.some(({ name }) => name.startsWith('libc.so')));
    assert.ok(modules.some(({ path }) => path === s.program.executable));
    const { sources } = await s.client.request<DebugProtocol.LoadedSourcesResponse['body']>('loadedSources');
    assert.ok(sources.some(({ path }) => path === s.program.source));
  });
});
