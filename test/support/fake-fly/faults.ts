import type { FakeAnswer } from './answer.ts';
import type { FakeRequest, Operation } from './operations.ts';

/** An answer, or a function that creates it from the request. */
export type Scripted = FakeAnswer | ((request: FakeRequest) => FakeAnswer);

/** How a request fails. */
export type Behaviour =
  /** Answers with this and does nothing. */
  | { readonly kind: 'answer'; readonly answer: Scripted }
  /** Breaks the connection before doing anything. */
  | { readonly kind: 'reset' }
  /** Executes the request and breaks the connection before the answer. */
  | { readonly kind: 'done, then reset' }
  /** Executes the request and answers with this. */
  | { readonly kind: 'done, then answer'; readonly answer: Scripted }
  /** Executes the request and never answers. */
  | { readonly kind: 'done, then silence' };

/** Scheduled faults, in order. */
export interface Faults {
  /** Makes the next `times` requests of this operation fail, after previously scheduled faults. */
  fail(operation: Operation, behaviour: Behaviour, times?: number): void;
  /** Cancels all scheduled faults. */
  mend(): void;
  take(operation: Operation | null): Behaviour | null;
}

export function createFaults(): Faults {
  let queue: { operation: Operation; behaviour: Behaviour; times: number }[] = [];
  return {
    fail: (operation, behaviour, times = 1) => {
      queue.push({ operation, behaviour, times });
    },
    mend: () => {
      queue = [];
    },
    take(operation) {
      const next = queue.find((each) => each.operation === operation);
      if (!next) return null;
      next.times -= 1;
      if (next.times <= 0) queue = queue.filter((each) => each !== next);
      return next.behaviour;
    },
  };
}
