import { SubstrateError } from '../errors.ts';

/** The call that a request is part of. */
export interface Call {
  /** Aborts when the call has taken too long, or the substrate is closed. */
  readonly signal: AbortSignal;
  /** Removes secrets from error messages. */
  readonly redact: (text: string) => string;
}

/** The calls in progress. */
export interface Calls {
  /** Runs one call with a time limit. Throws once closed. */
  run<Value>(redact: Call['redact'], work: (call: Call) => Promise<Value>): Promise<Value>;
  /** Aborts all calls and takes no more. */
  close(): Promise<void>;
}

/** Creates an empty set of calls, each of which may take `limitMs` milliseconds. */
export function createCalls(limitMs: number): Calls {
  const underWay = new Map<AbortController, Promise<unknown>>();
  let closed = false;
  return {
    async run(redact, work) {
      if (closed) {
        throw new SubstrateError({
          errorClass: 'substrate_error',
          message: 'the substrate is closed',
          transient: true,
        });
      }
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(), limitMs);
      const call = work({ signal: controller.signal, redact });
      underWay.set(controller, call);
      try {
        return await call;
      } finally {
        clearTimeout(timer);
        underWay.delete(controller);
      }
    },
    async close() {
      closed = true;
      const calls = [...underWay.values()];
      for (const controller of underWay.keys()) controller.abort();
      await Promise.allSettled(calls);
    },
  };
}
