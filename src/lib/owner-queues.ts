/** Work that waits, in a queue for each owner. Owners are served in turn, so an owner with much delays only itself. */
export interface OwnerQueues<Owner, Item> {
  /** How many items wait, over all owners. */
  size(): number;
  /** How many items of this owner wait. */
  sizeOf(owner: Owner): number;
  /** Adds an item at the end of its owner's queue. */
  push(owner: Owner, item: Item): void;
  /** The item whose turn it is, and its owner. */
  first(): readonly [Owner, Item] | undefined;
  /** The first item that is like this, of the first owner in turn that has one. */
  find(isLike: (item: Item) => boolean): Item | undefined;
  /** Takes out the item whose turn it is. Its owner goes to the end. */
  shift(): Item | undefined;
  /** Takes out this item, which waits. Its owner goes to the end. */
  remove(owner: Owner, item: Item): void;
  /** Takes out the owner's newest item. Its owner keeps its turn. */
  pop(owner: Owner): Item | undefined;
  /** The owner that has most items. */
  longest(): Owner | undefined;
  /** Takes out all items of an owner. */
  drop(owner: Owner): readonly Item[];
}

/** Creates queues in which nothing waits. */
export function createOwnerQueues<Owner, Item>(): OwnerQueues<Owner, Item> {
  // A Map keeps its keys in order of insertion, and holds no empty queue: its first owner is the one to be served.
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
