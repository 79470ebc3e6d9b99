import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

// Runs the program that the first argument names. On request, collects garbage and reports the memory that
// remains in use.

/** Memory in bytes. */
export interface HeldMemory {
  /** The JavaScript heap and external buffers. */
  readonly held: number;
  /** All memory that the system has given the process. */
  readonly resident: number;
}

async function settle(): Promise<HeldMemory> {
  for (let times = 0; times < 4; times += 1) {
    globalThis.gc!();
    await sleep(50);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { held: heapUsed + external, resident: rss };
}

process.on('message', () => void settle().then((memory) => process.send!(memory)));
// Listening must not keep a stopping server alive.
process.channel!.unref();

const [node, , program, ...rest] = process.argv;
process.argv = [node!, program!, ...rest];
await import(pathToFileURL(program!).href);
