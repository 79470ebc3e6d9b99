/** A scheduler that lets waiting steps proceed one at a time, in an order that only the seed decides. */
export interface Turns {
  /** Resolves when it is this step's turn. */
  take(step: string): Promise<void>;
  /** Gives a turn to one of the waiting steps. Returns false if none waits. */
  give(): boolean;
  /** The steps that had their turn so far, in order. */
  readonly given: readonly string[];
}

/**
 * Creates a scheduler. It is minimal because a proof gives tens of millions of turns: fast-check's own
 * scheduler costs several times as much.
 */
export function createTurns(seed: number): Turns {
  const random = createRandom(seed);
  const waiting: { readonly step: string; readonly go: () => void }[] = [];
  const given: string[] = [];
  return {
    take: (step) => new Promise((go) => waiting.push({ step, go })),
    give: () => {
      const [next] = waiting.splice(random() % waiting.length, 1);
      if (!next) return false;
      given.push(next.step);
      next.go();
      return true;
    },
    given,
  };
}

/**
 * Returns whole numbers from 0 to 2^32 - 1 (xorshift32, Marsaglia 2003). Mixed first, so that close seeds
 * differ.
 */
function createRandom(seed: number): () => number {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
