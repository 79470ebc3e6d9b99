import { overloaded } from '../graphql/faults.ts';
import type { Operations } from '../graphql/operations.ts';
import { TurnsExhausted } from '../lib/turns.ts';
import type { Load } from './load.ts';

/** What a character of a new document weighs: to parse and validate 4,096 of them takes a turn of the loop. */
const CHARACTER_WEIGHT = 512;

/** What of a request takes turns. */
export interface TurnRequest {
  /** Bytes of the whole request, which was parsed as JSON in this turn. */
  readonly bytes: number;
  readonly query: string;
}

/**
 * Waits for the turns of the loop that come before an operation: one to copy what a long request holds, and one to parse
 * and validate a new document. Null: the operation may go on now. Throws, or rejects with, OVERLOADED when too much waits.
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
 * Waits for a turn of the loop with time to parse and validate the document. Null: it may be parsed now, since it is
 * remembered or this turn has time. Throws OVERLOADED when too much waits.
 */
function documentTurn(
  operations: Pick<Operations, 'knows'>,
  { documents }: Pick<Load, 'documents'>,
  owner: object,
  query: string,
): Promise<void> | null {
  if (operations.knows(query)) return null;
  const refuse = (error: unknown): never => {
    throw error instanceof TurnsExhausted ? overloaded('too many documents wait') : error;
  };
  try {
    // Rejected once the connection is closed.
    return documents.take(owner, query.length * CHARACTER_WEIGHT)?.catch(refuse) ?? null;
  } catch (error) {
    return refuse(error);
  }
}
