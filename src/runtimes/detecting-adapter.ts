import { createLineSplitter } from '../lib/ndjson.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions } from './adapter.ts';
import { recogniseLine, UNKNOWN_RUNTIME_MESSAGE } from './detect.ts';
import { fieldsOf } from './json.ts';
import { createLineAdapter, type LineReader } from './line-adapter.ts';
import { createAdapter } from './registry.ts';

/** How much of a stream is looked at to tell the runtime: 1 MiB. */
export const MAX_UNDECIDED_BYTES = 1024 * 1024;

/** An adapter that knows whether it has found out. */
export interface DetectingAdapter extends RuntimeAdapter {
  /** Whether a line told whose output it is. */
  hasRecognised(): boolean;
}

/**
 * An adapter that finds out by itself whose output it is. It gives no events until a line tells, and then all of them.
 * If none does in the first {@link MAX_UNDECIDED_BYTES}, the run is one of an unknown runtime: its lines are
 * notifications, and it ends as failed with an error that says how to name the runtime.
 */
export function createDetectingAdapter(options: RuntimeAdapterOptions = {}): DetectingAdapter {
  const splitter = createLineSplitter(MAX_UNDECIDED_BYTES);
  let held = Buffer.alloc(0);
  let heldBytes = 0;
  let chosen: RuntimeAdapter | null = null;
  let recognised = false;

  // The buffer doubles: a list of the chunks could be a million of them.
  const hold = (bytes: Uint8Array): void => {
    if (heldBytes + bytes.length > held.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(heldBytes + bytes.length, held.length * 2));
      held.copy(grown, 0, 0, heldBytes);
      held = grown;
    }
    held.set(bytes, heldBytes);
    heldBytes += bytes.length;
  };

  /** The adapter that one of these lines asks for, if one does. */
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
      // Only what is within the limit may decide, so that it does not matter how the stream is cut into chunks.
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
      // Of a process that printed no line of any protocol the exit knows best why.
      return { verdict: wroteObjects ? { outcome: 'failed', reason: 'unknown_runtime' } : null, data: {} };
    },
  };
}
