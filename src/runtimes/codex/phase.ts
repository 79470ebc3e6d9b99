/** The phase of an item. */
export type ItemPhase = 'started' | 'updated' | 'completed';

/** Returns the phase that a line's type names; null if the line is not about an item. */
export function phaseOf(type: string): ItemPhase | null {
  switch (type) {
    case 'item.started':
      return 'started';
    case 'item.updated':
      return 'updated';
    case 'item.completed':
      return 'completed';
    default:
      return null;
  }
}
