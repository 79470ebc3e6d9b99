import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createReporter, type ReporterOptions } from '../client/reporter.ts';
import type { RunnerEvent } from '../contract/events.ts';
import { createGooseAdapter } from '../runtimes/goose.ts';

/** A file plays at a human pace, and within this in all, in milliseconds. */
export const PLAY_MS = 18_000;
/** No single line takes longer. */
const LONGEST_LINE_MS = 300;

/** Bytes of a transcript and how many there are in all; null when they come at their own pace. */
export interface Source {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly totalBytes: number | null;
  /** Lets go of it, read to its end or not; without that an input that stays open keeps the process alive. */
  close(): void;
}

/** A file, read as it is played. Throws when there is none to read. */
export async function fileSource(path: string): Promise<Source> {
  const file = await open(path).catch((cause: Error) => {
    throw new Error(`${path} cannot be read: ${cause.message}`, { cause });
  });
  const stats = await file.stat();
  if (stats.isDirectory()) {
    await file.close();
    throw new Error(`${path} is a folder`);
  }
  const chunks = file.createReadStream();
  return { chunks, totalBytes: stats.isFile() ? stats.size : null, close: () => void chunks.destroy() };
}

/** What comes in on standard input, as it comes. */
export function stdinSource(): Source {
  return { chunks: process.stdin, totalBytes: null, close: () => void process.stdin.destroy() };
}

/** Lines held in memory. */
export function linesSource(lines: readonly string[]): Source {
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  return {
    chunks: (async function* () {
      yield bytes;
    })(),
    totalBytes: bytes.length,
    close: () => {},
  };
}

/** Plays a Goose transcript into a run, through the adapter. Resolves when the server has its end. */
export async function play({ chunks, totalBytes }: Source, options: ReporterOptions): Promise<void> {
  const { nextSeq, lastTMs } = options;
  const adapter = createGooseAdapter({
    ...(nextSeq !== undefined && { nextSeq }),
    ...(lastTMs !== undefined && { lastTMs }),
  });
  const reporter = createReporter({ nextSeq: 0, ...options });

  async function report(events: readonly RunnerEvent[]): Promise<void> {
    for (const event of events) await reporter.report(event);
  }

  let due = performance.now();
  for await (const chunk of chunks) {
    for (const line of wholeLines(chunk)) {
      await report(adapter.push(line));
      if (totalBytes !== null) due += Math.min(LONGEST_LINE_MS, (PLAY_MS * line.length) / totalBytes);
      const early = due - performance.now();
      if (early > 0) await sleep(early);
    }
  }
  await report(adapter.end({ exitCode: 0 }));
  const { failure, undelivered } = await reporter.close();
  if (failure) throw failure;
  if (undelivered) throw new Error('the server has not taken the end of the run in time');
}

/** Cuts a chunk after each line feed, so that lines can be paced. The adapter puts lines together again. */
function* wholeLines(chunk: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
    yield chunk.subarray(start, end + 1);
    start = end + 1;
  }
  if (start < chunk.length) yield chunk.subarray(start);
}
