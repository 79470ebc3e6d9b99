/**
 * Created once: an abort without a reason creates an exception with a stack trace each time, a tenth of the
 * cost of resuming a run.
 */
const LEFT = new DOMException('the consumer has left', 'AbortError');

const DONE = { done: true, value: undefined } as const;

/**
 * Creates an async generator that ends at once when its consumer leaves. A plain generator does not:
 * `return()` queues behind a pending `next()`, so a generator that waits for something that never happens
 * would never be released. Here `return()` first aborts the signal, which every wait inside must honor.
 */
export function cancellable<Value>(
  start: (signal: AbortSignal) => AsyncGenerator<Value, void, undefined>,
): AsyncGenerator<Value, void, undefined> {
  const controller = new AbortController();
  const generator = start(controller.signal);
  return {
    ...withNext(generator, () => generator.next()),
    return: () => {
      controller.abort(LEFT);
      return generator.return();
    },
    throw: (error: unknown) => {
      controller.abort(LEFT);
      return generator.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/**
 * Wraps work that yields no values as a generator. The work starts with the first `next()`, which resolves
 * when the work ends. Leaving the generator aborts the signal and waits for the work to end. Takes less
 * memory than a real generator, of which there would be one per subscriber.
 */
export function cancellableWork(
  start: (signal: AbortSignal) => Promise<void>,
): AsyncGenerator<never, void, undefined> {
  const controller = new AbortController();
  /** Null once it has been called, so that what only the start needs is released. */
  let unstarted: typeof start | null = start;
  let started: Promise<void> | null = null;
  /** A separate function, because the frame of `next` would keep `start` in memory until the work ends. */
  const begin = () => {
    const work = unstarted?.(controller.signal) ?? null;
    unstarted = null;
    return work;
  };
  const leave = async () => {
    controller.abort(LEFT);
    // An error goes to the caller of `next()`. Leaving reports none.
    await started?.catch(() => {});
  };
  return {
    next: async () => {
      if (controller.signal.aborted) return DONE;
      started ??= begin();
      await started;
      return DONE;
    },
    return: async () => {
      await leave();
      return DONE;
    },
    throw: async (error: unknown) => {
      await leave();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    [Symbol.asyncDispose]: leave,
  };
}

/**
 * Wraps a generator with a different `next()`. Leaving it leaves the source at once, without queueing behind
 * a pending `next()`.
 */
export function withNext<Value>(
  source: AsyncGenerator<unknown, void, undefined>,
  next: () => Promise<IteratorResult<Value, void>>,
): AsyncGenerator<Value, void, undefined> {
  return {
    next,
    return: async () => {
      await source.return();
      return DONE;
    },
    throw: async (error: unknown) => {
      await source.throw(error);
      return DONE;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await source.return();
    },
  };
}

/**
 * Resolves to the promise's value, or to `undefined` as soon as the signal aborts. The promise itself is not
 * cancelled.
 */
export function unlessAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal,
): Promise<Value | undefined> {
  if (signal.aborted) {
    promise.catch(() => {});
    return Promise.resolve(undefined);
  }
  return new Promise((resolve, reject) => {
    const abort = () => resolve(undefined);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
