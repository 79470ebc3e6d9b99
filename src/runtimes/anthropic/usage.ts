import type { JsonObject } from '../../contract/events.ts';
import { fieldsOf, numberOf } from '../json.ts';

// Pairs of our names and the wire's names.
const COUNTS = [
  ['inputTokens', 'input_tokens'],
  ['outputTokens', 'output_tokens'],
  ['cacheReadInputTokens', 'cache_read_input_tokens'],
  ['cacheWriteInputTokens', 'cache_creation_input_tokens'],
] as const;

type Counts = { [name in (typeof COUNTS)[number][0]]?: number };

/** The total token usage of a run's requests to the model. */
export interface UsageMeter {
  /** Adds the usage of a finished request. */
  add(usage: JsonObject | null): void;
  /** Reads a report of the current request, whose counts replace those of earlier reports. */
  restate(usage: JsonObject | null): void;
  /** Finishes the current request; the next report belongs to another one. */
  close(): void;
  /** Returns `{usage}`, or `{}` if nothing was reported. */
  summary(): JsonObject;
}

/** Creates a meter without reports. */
export function createUsageMeter(): UsageMeter {
  const total: Counts = {};
  let current: Counts = {};

  const restate = (usage: JsonObject | null): void => {
    for (const [name, wireName] of COUNTS) {
      const count = numberOf(usage?.[wireName]);
      if (count !== undefined) current[name] = count;
    }
  };

  const close = (): void => {
    for (const [name] of COUNTS) {
      const count = current[name];
      if (count !== undefined) total[name] = (total[name] ?? 0) + count;
    }
    current = {};
  };

  return {
    add(usage) {
      restate(usage);
      close();
    },
    restate,
    close,
    summary() {
      close();
      return fieldsOf({ usage: Object.keys(total).length > 0 ? { ...total } : undefined });
    },
  };
}
