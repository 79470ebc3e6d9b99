import { createLineSplitter } from '../lib/text/ndjson.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions } from './adapter.ts';
import { recogniseLine, UNKNOWN_RUNTIME_MESSAGE } from './detect.ts';
import { fieldsOf } from './json.ts';
import { createLineAdapter, type LineReader } from './line-adapter.ts';
import { createAdapter } from './registry.ts';

/** The number of bytes of a stream that may be read to detect the runtime: 1 MiB. */
export const MAX_UNDECIDED_BYTES = 1024 * 1024;

/** An adapter that detects the runtime. */
export interface DetectingAdapter extends RuntimeAdapter {
  /** Returns true if a line has identified the runtime. */
  hasRecognised(): boolean;
}

/**
 * Creates an adapter that detects the runtime from its output. It returns no events until a line identifies
 * the runtime, and then all of them. If no line in the first {@link MAX_UNDECIDED_BYTES} does, the runtime is
 * unknown: its lines become notifications, and the run fails with an error about naming the runtime.
 */
export function createDetectingAdapter(options: RuntimeAdapterOptions = {}): DetectingAdapter {
  const splitter = createLineSplitter(MAX_UNDECIDED_BYTES);
  let held = Buffer.alloc(0);
  let heldBytes = 0;
  let chosen: RuntimeAdapter | null = null;
  let recognised = false;

  // A buffer that doubles, because a list could hold a million chunks.
  const hold = (bytes: Uint8Array): void => {
    if (heldBytes + bytes.length > held.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(heldBytes + bytes.length, held.length * 2));
      held.copy(grown, 0, 0, heldBytes);
      held = grown;
    }
    held.set(bytes, heldBytes);
    heldBytes += bytes.length;
  };

  /** Returns the adapter of the first runtime that one of these lines identifies, or null. */
  const choose = (lines: readonly string[]): RuntimeAdapter | null => {
    for (const line of lines) {
      const name = recogniseLine(line);
      if (name === null) continue;
      recognised = true;
      return createAdapter(name, options);
    }
    return null;
  };

  const release = (): Uint8Array => {
    const bytes = held.subarray(0, heldBytes);
    held = Buffer.alloc(0);
    return bytes;
  };

  return {
    push(bytes) {
      if (chosen !== null) return chosen.push(bytes);
      // Only bytes within the limit may decide, so that the result does not depend on the chunks.
      const judged = bytes.subarray(0, MAX_UNDECIDED_BYTES - heldBytes);
      hold(judged);
      chosen = choose(splitter.push(judged));
      if (chosen === null && heldBytes < MAX_UNDECIDED_BYTES) return [];
      chosen ??= createLineAdapter(createUnknownReader(options.sessionName), options);
      return [...chosen.push(release()), ...chosen.push(bytes.subarray(judged.length))];
    },
    end(exit) {
      if (chosen !== null) return chosen.end(exit);
      chosen = choose(splitter.end()) ?? createLineAdapter(createUnknownReader(options.sessionName), options);
      return [...chosen.push(release()), ...chosen.end(exit)];
    },
    hasRecognised: () => recognised,
  };
}

function createUnknownReader(sessionName: string | undefined): LineReader {
  let wroteObjects = false;
  let wroteAnything = false;
  return {
    describe: () => ({ runtime: 'unknown', ...fieldsOf({ sessionName }) }),
    overhear() {
      wroteAnything = true;
    },
    read(_, line, run) {
      wroteObjects = true;
      run.notify('unknown_line', line);
    },
    conclude(run) {
      if (wroteObjects || wroteAnything) run.blame(UNKNOWN_RUNTIME_MESSAGE);
      // If the process printed no line of any protocol, its exit explains the failure best.
      return { verdict: wroteObjects ? { outcome: 'failed', reason: 'unknown_runtime' } : null, data: {} };
    },
  };
}
