import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

// Runs the program that its first argument names. When asked, it tells what the process holds once the collector has
// taken everything else.

/** In bytes. */
export interface HeldMemory {
  /** JavaScript's heap and the buffers beside it. */
  readonly held: number;
  /** All that the system has given the process. */
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
// Listening must not keep a server alive that wants to stop.
process.channel!.unref();

const [node, , program, ...rest] = process.argv;
process.argv = [node!, program!, ...rest];
await import(pathToFileURL(program!).href);
