import type { createAdapter, RuntimeName } from '../../src/runtimes/registry.ts';
import { ADAPTERS, textOf } from '../runtimes/adapters.ts';

// Reads a long stream with one built adapter and reports its speed and memory. Each request over the channel
// names the adapter and the number of bytes.

/** The stream to read. */
export interface AdapterOrder {
  readonly name: RuntimeName;
  readonly bytes: number;
  /** Only split lines and parse them, without an adapter. */
  readonly bare: boolean;
}

/** The speed and memory of reading a stream. */
export interface AdapterFigures {
  readonly megabytesPerSecond: number;
  /** Growth of the heap between the first tenth of the stream and its end. */
  readonly heapGrowthMb: number;
}

const CHUNK_BYTES = 64 * 1024;
/** This much of a stream is generated beforehand and read repeatedly. */
const PIECE_BYTES = 4 * 1024 * 1024;
const LINES_PER_CALL = 24;

const built = new URL('../../dist/runtimes/registry.js', import.meta.url).href;
const registry = (await import(built)) as { readonly createAdapter: typeof createAdapter };

/**
 * Returns a piece of a stream: mostly text, as in a real run, mixed with tool calls and lines of every type.
 */
function pieceOf(name: RuntimeName): Uint8Array {
  const adapter = ADAPTERS.find((one) => one.name === name);
  if (!adapter) throw new Error(`no sample lines for ${name}`);
  const texts: string[] = [];
  for (let round = 0, length = 0; length < PIECE_BYTES; round += 1) {
    const says = Array.from({ length: LINES_PER_CALL }, (_, index) =>
      adapter.says(`word ${round}.${index} and a few more of them, as models say it 📦 `),
    );
    const sample = adapter.samples[round % adapter.samples.length]!;
    const lines = [...says, ...adapter.asks(`call-${round}`, 'ls -la /workspace/src'), sample].map(textOf);
    texts.push(...lines);
    length += lines.reduce((sum, line) => sum + line.length + 1, 0);
  }
  return adapter.wireOf(texts);
}

function heapMb(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 1024 / 1024;
}

function read({ name, bytes, bare }: AdapterOrder): AdapterFigures {
  const piece = pieceOf(name);
  const decoder = new TextDecoder();
  const adapter = bare ? null : registry.createAdapter(name);
  const cpuBefore = process.cpuUsage();
  let heapBefore = 0;
  let events = 0;
  let done = 0;
  let carry = '';
  while (done < bytes) {
    for (let from = 0; from < piece.length && done < bytes; from += CHUNK_BYTES) {
      const chunk = piece.subarray(from, from + CHUNK_BYTES);
      done += chunk.length;
      if (adapter) {
        events += adapter.push(chunk).length;
        continue;
      }
      const lines = (carry + decoder.decode(chunk, { stream: true })).split('\n');
      carry = lines.pop() ?? '';
      for (const line of lines) if (line !== '') events += parses(line);
    }
    if (heapBefore === 0 && done >= bytes / 10) heapBefore = heapMb();
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  if (events === 0) throw new Error('the adapter read no events');
  return {
    megabytesPerSecond: done / 1e6 / ((user + system) / 1e6),
    heapGrowthMb: Math.max(0, heapMb() - heapBefore),
  };
}

function parses(line: string): number {
  const value: unknown = JSON.parse(line.startsWith('data: ') ? line.slice('data: '.length) : line);
  return value === null ? 0 : 1;
}

process.on('message', (order: AdapterOrder) => process.send!(read(order)));
process.send!('ready');
