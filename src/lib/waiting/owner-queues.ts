/**
 * Waiting work, in one queue per owner. Owners are served in turn, so an owner with much work delays only
 * itself.
 */
export interface OwnerQueues<Owner, Item> {
  /** Returns how many items wait, across all owners. */
  size(): number;
  /** Returns how many items of this owner wait. */
  sizeOf(owner: Owner): number;
  /** Adds an item at the end of its owner's queue. */
  push(owner: Owner, item: Item): void;
  /** Returns the next item and its owner. */
  first(): readonly [Owner, Item] | undefined;
  /** Returns the first matching item, of the first owner in turn that has one. */
  find(isLike: (item: Item) => boolean): Item | undefined;
  /** Removes and returns the next item. Its owner goes to the end. */
  shift(): Item | undefined;
  /** Removes a waiting item. Its owner goes to the end. */
  remove(owner: Owner, item: Item): void;
  /** Removes and returns the owner's newest item. The owner keeps its turn. */
  pop(owner: Owner): Item | undefined;
  /** Returns the owner with the most items. */
  longest(): Owner | undefined;
  /** Removes and returns all items of an owner. */
  drop(owner: Owner): readonly Item[];
}

/** Creates empty queues. */
export function createOwnerQueues<Owner, Item>(): OwnerQueues<Owner, Item> {
  // A Map keeps its keys in insertion order, and this one holds no empty queue, so its first owner is served
  // next.
  const queues = new Map<Owner, Item[]>();
  let size = 0;

  function first(): readonly [Owner, Item] | undefined {
    for (const [owner, [item]] of queues) return [owner, item!];
    return undefined;
  }

  function removeAt(owner: Owner, index: number): void {
    const queue = queues.get(owner)!;
    if (index === 0) queue.shift();
    else queue.splice(index, 1);
    size -= 1;
    queues.delete(owner);
    if (queue.length > 0) queues.set(owner, queue);
  }

  return {
    size: () => size,
    sizeOf: (owner) => queues.get(owner)?.length ?? 0,
    push: (owner, item) => {
      const queue = queues.get(owner);
      if (queue) queue.push(item);
      else queues.set(owner, [item]);
      size += 1;
    },
    first,
    find: (isLike) => {
      for (const queue of queues.values()) {
        const found = queue.find(isLike);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    shift: () => {
      const next = first();
      if (!next) return undefined;
      const [owner, item] = next;
      removeAt(owner, 0);
      return item;
    },
    remove: (owner, item) => {
      const index = queues.get(owner)?.indexOf(item) ?? -1;
      if (index >= 0) removeAt(owner, index);
    },
    pop: (owner) => {
      const queue = queues.get(owner);
      if (!queue) return undefined;
      size -= 1;
      const item = queue.pop();
      if (queue.length === 0) queues.delete(owner);
      return item;
    },
    longest: () => {
      let longest: Owner | undefined;
      let most = 0;
      for (const [owner, { length }] of queues) {
        if (length <= most) continue;
        most = length;
        longest = owner;
      }
      return longest;
    },
    drop: (owner) => {
      const dropped = queues.get(owner) ?? [];
      size -= dropped.length;
      queues.delete(owner);
      return dropped;
    },
  };
}
