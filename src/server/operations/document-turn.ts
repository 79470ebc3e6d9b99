import { overloaded } from '../../graphql/errors/faults.ts';
import type { Operations } from '../../graphql/operations/operations.ts';
import { TurnsExhausted } from '../../lib/waiting/turns.ts';
import type { Load } from '../load/load.ts';

/**
 * The weight of a character of a new document. Parsing and validating 4,096 of them takes one event-loop
 * turn.
 */
const CHARACTER_WEIGHT = 512;

/** The parts of a request whose cost is spread over event-loop turns. */
export interface TurnRequest {
  /** Bytes of the whole request, which was parsed as JSON in the current turn. */
  readonly bytes: number;
  readonly query: string;
}

/**
 * Waits for the event-loop turns that an operation needs before it starts: one to copy the contents of a long
 * request, and one to parse and validate a new document. Returns null if the operation may start now. Throws
 * or rejects with OVERLOADED if too much work is waiting.
 */
export function requestTurn(
  operations: Pick<Operations, 'copyingTurn' | 'knows'>,
  load: Pick<Load, 'documents'>,
  owner: object,
  { bytes, query }: TurnRequest,
): Promise<void> | null {
  const copying = operations.copyingTurn(bytes, owner);
  const parsing = () => documentTurn(operations, load, owner, query);
  return copying ? copying.then(parsing).then(() => {}) : parsing();
}

/**
 * Waits for an event-loop turn with time to parse and validate the document. Returns null if it may be parsed
 * now, because it is cached or this turn has time. Throws OVERLOADED if too much work is waiting.
 */
function documentTurn(
  operations: Pick<Operations, 'knows'>,
  { documents }: Pick<Load, 'documents'>,
  owner: object,
  query: string,
): Promise<void> | null {
  if (operations.knows(query)) return null;
  const refuse = (error: unknown): never => {
    throw error instanceof TurnsExhausted ? overloaded('too many new documents are waiting') : error;
  };
  try {
    // Rejects once the connection is closed.
    return documents.take(owner, query.length * CHARACTER_WEIGHT)?.catch(refuse) ?? null;
  } catch (error) {
    return refuse(error);
  }
}
