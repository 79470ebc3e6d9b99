/** Operations at once on one socket. Above this, an operation is refused with OVERLOADED. */
export const MAX_OPERATIONS = 1_000;
/** A socket that is refused more often than this within the time is closed. */
const MAX_REFUSALS = 500;
const REFUSALS_MS = 10_000;

/** What one socket has under way, and how often it was refused. */
export interface OperationCount {
  /** Counts a message until `end`. Its operation, if it begins one, is over by then. */
  begin(): Counted;
  /** Whether the socket has too many operations. `count` counts them all, and is called seldom. */
  isFull(count: () => number): boolean;
  /** Says that the client ended an operation. */
  ended(): void;
  /** Whether `isFull` would say so without counting. */
  knownFull(): boolean;
  /** Counts a refusal of the message that began last. */
  refused(): void;
}

/** One message that is being handled. */
export interface Counted {
  end(): void;
}

/** Counts from zero. `onTooMany` is called for each refusal beyond the bound. */
export function createOperationCount(onTooMany: () => void): OperationCount {
  let underWay = 0;
  let full = false;
  let latest: { refused: boolean } | null = null;
  let refusals = 0;
  let since = 0;
  return {
    begin: () => {
      underWay += 1;
      const message = { refused: false };
      latest = message;
      return {
        end: () => {
          underWay -= 1;
          if (!message.refused) full = false;
        },
      };
    },
    isFull: (count) => {
      // Counting a thousand operations takes longer than all else that a refusal does.
      if (underWay > MAX_OPERATIONS) full ||= count() > MAX_OPERATIONS;
      return full;
    },
    ended: () => {
      full = false;
    },
    knownFull: () => full,
    refused: () => {
      if (latest) latest.refused = true;
      const now = performance.now();
      if (now - since > REFUSALS_MS) {
        since = now;
        refusals = 0;
      }
      refusals += 1;
      if (refusals > MAX_REFUSALS) onTooMany();
    },
  };
}
