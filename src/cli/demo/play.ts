import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createReporter, type ReporterOptions } from '../../client/report/reporter.ts';
import type { RunnerEvent } from '../../contract/events.ts';
import { createGooseAdapter } from '../../runtimes/goose/goose.ts';

/** A file plays at a human pace, and takes at most this long in total, in milliseconds. */
export const PLAY_MS = 18_000;
/** The longest pause after a line, in milliseconds. */
const LONGEST_LINE_MS = 300;

/** The bytes of a transcript. */
export interface Source {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Null: the length is unknown, and the bytes are played as they arrive. */
  readonly totalBytes: number | null;
  /** Releases the input, read to its end or not. An open input would keep the process alive. */
  close(): void;
}

/** Opens a file, which is read while it is played. Throws if it cannot be opened or is a folder. */
export async function fileSource(path: string): Promise<Source> {
  const file = await open(path).catch((cause: Error) => {
    throw new Error(`cannot read ${path}: ${cause.message}`, { cause });
  });
  const stats = await file.stat();
  if (stats.isDirectory()) {
    await file.close();
    throw new Error(`${path} is a folder`);
  }
  const chunks = file.createReadStream();
  return { chunks, totalBytes: stats.isFile() ? stats.size : null, close: () => void chunks.destroy() };
}

/** Standard input, played as it arrives. */
export function stdinSource(): Source {
  return { chunks: process.stdin, totalBytes: null, close: () => void process.stdin.destroy() };
}

/** A transcript in memory, given as lines without line ends. */
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

/**
 * Plays a Goose transcript into a run, through the adapter. Resolves once the server has stored the end of
 * the run; throws if the server refuses events or does not acknowledge the end in time.
 */
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
  if (undelivered) throw new Error('the server did not acknowledge the end of the run in time');
}

/** Splits a chunk after each line feed, so that lines can be paced. The adapter joins split lines again. */
function* wholeLines(chunk: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
    yield chunk.subarray(start, end + 1);
    start = end + 1;
  }
  if (start < chunk.length) yield chunk.subarray(start);
}
