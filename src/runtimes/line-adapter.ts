import type { JsonObject } from '../contract/events.ts';
import { createLineSplitter } from '../lib/ndjson.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions } from './adapter.ts';
import { fieldsOf, parseObject, stringOf } from './json.ts';
import { createNoiseLog } from './noise.ts';
import type { Verdict } from './outcome.ts';
import { createRunLog, type RunRecorder } from './recorder.ts';

/** What one runtime's wire format means. The rest is the same for all of them and done here. */
export interface LineReader {
  /** The data of `runtime_started`; asked for at the first valid line, or at the end if there is none. */
  describe(): JsonObject;
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

/** An adapter for a runtime that prints one JSON object a line. */
export function createLineAdapter(reader: LineReader, options: RuntimeAdapterOptions): RuntimeAdapter {
  const splitter = createLineSplitter();
  const noise = createNoiseLog();
  const log = createRunLog(options);
  let ended = false;

  const readLine = (text: string): void => {
    const line = parseObject(text);
    const type = stringOf(line?.type);
    if (line !== null && type !== undefined) {
      log.start(reader.describe);
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
      log.start(reader.describe);
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
  };
}
