import { type ListStore, TooManyReadings } from '../store/lists.ts';
import type { Context } from './context.ts';
import { overloaded } from './faults.ts';

/**
 * Reads a page of a list for whoever asks. Throws the fault OVERLOADED when too many readings wait, and when nobody is
 * left to be answered.
 */
export async function listKeys(
  context: Context,
  read: (lists: ListStore, owner: object) => Promise<readonly number[]>,
): Promise<number[]> {
  try {
    return [...(await read(context.store.lists, context.owner))];
  } catch (error) {
    throw error instanceof TooManyReadings ? overloaded(error.message) : error;
  }
}
