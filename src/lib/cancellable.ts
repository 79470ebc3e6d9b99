/** Made once: an abort without a reason makes an exception with its stack each time, a tenth of resuming a run. */
const LEFT = new DOMException('the consumer has left', 'AbortError');

/**
 * An async generator that ends at once when its consumer leaves. A plain one does not: `return()` waits behind a
 * pending `next()`, so a generator that waits for something that never comes would never be released. Here
 * `return()` first aborts the signal that every wait inside has to honour.
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
 * Work that has no values, for a caller that takes a generator. It starts with the first `next()`, which ends when it
 * does; leaving it aborts the signal and waits until it has ended. Holds less than a generator, of which there is one for
 * each subscriber.
 */
export function cancellableWork(
  start: (signal: AbortSignal) => Promise<void>,
): AsyncGenerator<never, void, undefined> {
  const controller = new AbortController();
  let started: Promise<void> | null = null;
  const done = { done: true, value: undefined } as const;
  const leave = async () => {
    controller.abort(LEFT);
    // An error goes to the caller of `next()`; leaving reports none.
    await started?.catch(() => {});
  };
  return {
    next: async () => {
      if (controller.signal.aborted) return done;
      started ??= start(controller.signal);
      await started;
      return done;
    },
    return: async () => {
      await leave();
      return done;
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

/** A generator with another way to get its next value; leaving it leaves the source, not queued behind a `next()`. */
export function withNext<Value>(
  source: AsyncGenerator<unknown, void, undefined>,
  next: () => Promise<IteratorResult<Value, void>>,
): AsyncGenerator<Value, void, undefined> {
  const done = { done: true, value: undefined } as const;
  return {
    next,
    return: async () => {
      await source.return();
      return done;
    },
    throw: async (error: unknown) => {
      await source.throw(error);
      return done;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await source.return();
    },
  };
}

/** The promise's value, or `undefined` as soon as the signal aborts. The promise itself is not cancelled. */
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
