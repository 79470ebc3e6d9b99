import type { JsonObject, RunnerEvent } from '../contract/events.ts';
import { createLineSplitter, type LineSplitter } from '../lib/ndjson.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions } from './adapter.ts';
import { fieldsOf, parseObject, stringOf } from './json.ts';
import { createNoiseLog } from './noise.ts';
import type { Verdict } from './outcome.ts';
import { createRunLog, type RunRecorder } from './recorder.ts';

const MAX_WAITING_LENGTH = 1024 * 1024;

/** What one runtime's wire format means. The rest is the same for all of them and done here. */
export interface LineReader {
  /** The data of `runtime_started`; asked for at the line that starts the run, or at the end (null) if there is none. */
  describe(first: JsonObject | null): JsonObject;
  /**
   * Whether this line belongs before the one that starts the run. Such lines wait for it, up to a mebi of UTF-16 units
   * of them, and are read right after it. Without this method the first valid line starts the run.
   */
  precedesStart?(type: string, line: JsonObject): boolean;
  /** One JSON object with a string `type`. Must cope with every other field being anything. */
  read(type: string, line: JsonObject, run: RunRecorder): void;
  /** A line that is neither such an object nor blank, before it is counted as noise. */
  overhear?(line: string): void;
  /** What the lines say about the end (null: nothing), and what the terminal event is to carry. */
  conclude(run: RunRecorder): {
    readonly verdict: Verdict | null;
    readonly data: JsonObject;
  };
}

/** An adapter whose host has something to tell, too. */
export interface HostedAdapter extends RuntimeAdapter {
  /** Lets the host write events of its own. Before the start they wait for it; after `end` they are dropped. */
  insert(write: (run: RunRecorder) => void): RunnerEvent[];
}

// More than the requests, results and uploads that come before the first line; the next one starts the run.
const MAX_WAITING = 64;

/** An adapter for a runtime that prints one JSON object a line. */
export function createLineAdapter(reader: LineReader, options: RuntimeAdapterOptions): RuntimeAdapter {
  return createTextAdapter(createLineSplitter(), reader, options);
}

/** An adapter for a runtime whose bytes the splitter cuts into texts that are to be one JSON object each. */
export function createTextAdapter(
  splitter: LineSplitter,
  reader: LineReader,
  options: RuntimeAdapterOptions,
): HostedAdapter {
  const noise = createNoiseLog(options.redact);
  const log = createRunLog(options);
  const waiting: ((run: RunRecorder) => void)[] = [];
  let waitingLength = 0;
  let started = false;
  let ended = false;

  const start = (first: JsonObject | null): void => {
    if (started) return;
    started = true;
    log.start(() => reader.describe(first));
    for (const write of waiting.splice(0)) write(log.recorder);
  };

  const readLine = (text: string): void => {
    const line = parseObject(text);
    const type = stringOf(line?.type);
    if (line !== null && type !== undefined) {
      if (
        !started &&
        reader.precedesStart?.(type, line) &&
        waitingLength + text.length <= MAX_WAITING_LENGTH
      ) {
        waiting.push((run) => reader.read(type, line, run));
        waitingLength += text.length;
        return;
      }
      start(line);
      reader.read(type, line, log.recorder);
    } else if (/\S/.test(text)) {
      reader.overhear?.(text);
      noise.add(text);
    }
  };

  return {
    push(bytes) {
      if (ended) return [];
      for (const text of splitter.push(bytes)) readLine(text);
      return log.take();
    },
    end(exit = {}) {
      if (ended) return [];
      for (const text of splitter.end()) readLine(text);
      ended = true;
      start(null);
      const { verdict, data } = reader.conclude(log.recorder);
      const oversized = splitter.dropped();
      log.finish(
        verdict,
        {
          ...data,
          ...noise.summary(),
          ...fieldsOf({
            oversizedLines: oversized > 0 ? oversized : undefined,
          }),
        },
        exit,
      );
      return log.take();
    },
    insert(write) {
      if (ended) return [];
      if (started) write(log.recorder);
      else waiting.push(write);
      if (waiting.length > MAX_WAITING) start(null);
      return log.take();
    },
  };
}
