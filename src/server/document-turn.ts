import { overloaded } from '../graphql/faults.ts';
import type { Operations } from '../graphql/operations.ts';
import { TurnsExhausted } from '../lib/turns.ts';
import type { Load } from './load.ts';

/** What a character of a new document weighs: to parse and validate 4,096 of them takes a turn of the loop. */
const CHARACTER_WEIGHT = 512;

/**
 * Waits for a turn of the loop with time to parse and validate the document. Null: it may be parsed now, since it is
 * remembered or this turn has time. Throws OVERLOADED when too much waits.
 */
export function documentTurn(
  operations: Pick<Operations, 'knows'>,
  { turns }: Pick<Load, 'turns'>,
  owner: object,
  query: string,
): Promise<void> | null {
  if (operations.knows(query)) return null;
  try {
    return turns.take(owner, query.length * CHARACTER_WEIGHT);
  } catch (error) {
    throw error instanceof TurnsExhausted ? overloaded('too many documents wait') : error;
  }
}
