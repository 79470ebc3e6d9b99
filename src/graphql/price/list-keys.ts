import { type ListStore, TooManyReadings } from '../../store/lists.ts';
import type { Context } from '../context.ts';
import { overloaded } from '../errors/faults.ts';

/**
 * Reads the keys of one page of a list for the client that sent the operation. Throws the fault OVERLOADED if
 * too many reads wait, or if the client has disconnected.
 */
export async function listKeys(
  context: Context,
  read: (lists: ListStore, owner: object) => Promise<readonly number[]>,
): Promise<number[]> {
  try {
    return [...(await context.budget.untilClosed(read(context.store.lists, context.owner)))];
  } catch (error) {
    throw error instanceof TooManyReadings ? overloaded(error.message) : error;
  }
}
