import type { JsonObject, RunnerEvent } from '../contract/events.ts';
import { createLineSplitter, type LineSplitter } from '../lib/text/ndjson.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions } from './adapter.ts';
import { fieldsOf, parseObject, stringOf } from './json.ts';
import { createNoiseLog } from './noise.ts';
import type { Verdict } from './outcome.ts';
import { createRunLog, type RunRecorder } from './recorder.ts';

const MAX_WAITING_LENGTH = 1024 * 1024;

/** Interprets the wire format of one runtime. Everything common to all runtimes is in this file. */
export interface LineReader {
  /** Returns the data of `runtime_started`. `first` is the line that starts the run; null if none did. */
  describe(first: JsonObject | null): JsonObject;
  /**
   * Returns true if this line precedes the line that starts the run. Such lines wait, up to 1 Mi UTF-16 units
   * in total, and are read right after the start. Without this method the first valid line starts the run.
   */
  precedesStart?(type: string, line: JsonObject): boolean;
  /** Reads a JSON object with a string `type`. Every other field may have any value. */
  read(type: string, line: JsonObject, run: RunRecorder): void;
  /** Reads a line that is neither such an object nor blank, before it is counted as noise. */
  overhear?(line: string): void;
  /** Returns the outcome according to the lines (null: unknown), and further data for the terminal event. */
  conclude(run: RunRecorder): {
    readonly verdict: Verdict | null;
    readonly data: JsonObject;
  };
}

/** An adapter to which the host can add events. */
export interface HostedAdapter extends RuntimeAdapter {
  /** Lets the host write events. They wait until the run starts, and are dropped after `end`. */
  insert(write: (run: RunRecorder) => void): RunnerEvent[];
}

// More than the requests, results and uploads before the first line; one more starts the run.
const MAX_WAITING = 64;

/** Creates an adapter for a runtime that prints one JSON object per line. */
export function createLineAdapter(reader: LineReader, options: RuntimeAdapterOptions): RuntimeAdapter {
  return createTextAdapter(createLineSplitter(), reader, options);
}

/** Creates an adapter for a runtime whose output `splitter` cuts into texts with one JSON object each. */
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
