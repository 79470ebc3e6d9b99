import type { FakeAnswer } from './answer.ts';
import type { FakeRequest, Operation } from './operations.ts';

/** An answer, or what makes it once the request is there. */
export type Scripted = FakeAnswer | ((request: FakeRequest) => FakeAnswer);

/** What goes wrong with a request. */
export type Behaviour =
  /** This is answered, and nothing done. */
  | { readonly kind: 'answer'; readonly answer: Scripted }
  /** The connection breaks before anything is done. */
  | { readonly kind: 'reset' }
  /** It is done, and the connection breaks before the answer. */
  | { readonly kind: 'done, then reset' }
  /** It is done and answered with this. */
  | { readonly kind: 'done, then answer'; readonly answer: Scripted }
  /** It is done, and there never is an answer. */
  | { readonly kind: 'done, then silence' };

/** Faults to come, in order. */
export interface Faults {
  /** Lets the next `times` requests of this kind go wrong. Behind those told of before. */
  fail(operation: Operation, behaviour: Behaviour, times?: number): void;
  /** Nothing more goes wrong. */
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
