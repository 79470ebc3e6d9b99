import type { JsonObject } from '../contract/events.ts';
import { fieldsOf, numberOf } from './json.ts';

// Ours and the wire's names.
const COUNTS = [
  ['inputTokens', 'input_tokens'],
  ['outputTokens', 'output_tokens'],
  ['cacheReadInputTokens', 'cache_read_input_tokens'],
  ['cacheWriteInputTokens', 'cache_creation_input_tokens'],
] as const;

type Counts = { [name in (typeof COUNTS)[number][0]]?: number };

/** What a run's requests to the model used, added up. */
export interface UsageMeter {
  /** What a request that is over used. */
  add(usage: JsonObject | null): void;
  /** A later report of the same request: its counts replace those of the one before. */
  restate(usage: JsonObject | null): void;
  /** The request is over; what is reported next belongs to another one. */
  close(): void;
  /** `{usage}`, or no field if nothing was reported. */
  summary(): JsonObject;
}

/** A meter at zero. */
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
