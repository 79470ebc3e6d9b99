import { releaseAfterwards } from './releases.ts';

/** Adds up what is done in each turn of the event loop. */
export interface TurnMeter {
  add(amount: number): void;
  /** The most that one turn came to. */
  most(): number;
  /** What all turns came to. */
  all(): number;
  /** How many turns there were. */
  turns(): number;
}

/** Starts at nothing. Stops at the end of the test. */
export function startTurnMeter(): TurnMeter {
  let inTurn = 0;
  let most = 0;
  let all = 0;
  let turns = 0;
  let timer = setImmediate(function next() {
    inTurn = 0;
    turns += 1;
    timer = setImmediate(next);
  });
  releaseAfterwards(() => clearImmediate(timer));
  return {
    add: (amount) => {
      inTurn += amount;
      all += amount;
      most = Math.max(most, inTurn);
    },
    most: () => most,
    all: () => all,
    turns: () => turns,
  };
}
