import { describeStep, describeValue, isArray, wholeLength, withoutHalves } from './describe.ts';
import type { JsonObject, JsonValue } from './events.ts';

/** The maximum nesting depth of an event's `data`; `data` itself is level 1. */
const MAX_LEVELS = 512;

/**
 * How many more values the copy may contain. Only objects that share members, and proxies that invent them,
 * expand beyond ten million values: as JSON text that is at least 20 MB. Without a limit the copy would use
 * all memory.
 */
export interface ValueBudget {
  valuesLeft: number;
}

/** Returns the budget for one batch: ten million values. */
export function newValueBudget(): ValueBudget {
  return { valuesLeft: MAX_VALUES };
}

const MAX_VALUES = 10_000_000;

/** The state of one pass over an event's `data`, including the reason if it fails. */
interface Walk {
  readonly budget: ValueBudget;
  problem: string;
  /** The path to the offending value, built from its last step backwards while the recursion unwinds. */
  path: string;
  /** The object one level too deep. If an ancestor is the same object, the nesting is a cycle. */
  tooDeep: object | undefined;
}

/**
 * Copies `source` deeply into plain objects and arrays: own enumerable string keys in their order, each read
 * exactly once. If `source` contains something that JSON cannot carry, nests more than 512 levels or exceeds
 * the budget, it returns a problem: one sentence that begins with `place`. Never throws.
 */
export function copyJsonObject(
  source: object,
  place: string,
  budget: ValueBudget,
): { readonly copy: JsonObject } | { readonly problem: string } {
  const walk: Walk = { budget, problem: '', path: '', tooDeep: undefined };
  const copy = copyObject(source, 1, walk);
  return copy === undefined ? { problem: `${place}${shortenPath(walk.path)} ${walk.problem}` } : { copy };
}

/** Returns undefined on failure: JSON has no such value. */
function copyValue(value: unknown, level: number, walk: Walk): JsonValue | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : refuse(walk, notJson(value));
    case 'object':
      if (value === null) return null;
      return isArray(value) ? copyArray(value, level, walk) : copyObject(value, level, walk);
    default:
      return refuse(walk, notJson(value));
  }
}

function copyObject(source: object, level: number, walk: Walk): JsonObject | undefined {
  if (level > MAX_LEVELS) return refuseDepth(source, walk);
  let reading: string | undefined;
  try {
    if (fewestKeys(source) > walk.budget.valuesLeft) return refuse(walk, TOO_MANY);
    const keys = Object.keys(source);
    if (!spend(walk, keys.length)) return undefined;
    const copy: Record<string, JsonValue> = {};
    for (const key of keys) {
      reading = key;
      const value = copyValue((source as Record<string, unknown>)[key], level + 1, walk);
      if (value === undefined) return refuseWithin(source, key, walk);
      if (key in copy) defineMember(copy, key, value);
      else copy[key] = value;
    }
    return copy;
  } catch {
    return refuseUnreadable(source, reading, walk);
  }
}

function copyArray(source: readonly unknown[], level: number, walk: Walk): readonly JsonValue[] | undefined {
  if (level > MAX_LEVELS) return refuseDepth(source, walk);
  let reading: number | undefined;
  try {
    const length = wholeLength(source.length);
    if (!spend(walk, length)) return undefined;
    // Allocated at its full length: an array grown by push reserves 17 slots even for two items.
    const copy = new Array<JsonValue>(length);
    for (let index = 0; index < length; index++) {
      reading = index;
      const value = copyValue(source[index], level + 1, walk);
      if (value === undefined) return refuseWithin(source, index, walk);
      copy[index] = value;
    }
    return copy;
  } catch {
    return refuseUnreadable(source, reading, walk);
  }
}

/**
 * Defines a key that Object.prototype also has: assigning `__proto__` would set the prototype, and if
 * Object.prototype is frozen, assigning any of its keys throws.
 */
function defineMember(target: Record<string, JsonValue>, key: string, value: JsonValue): void {
  Object.defineProperty(target, key, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

/** Deducts `count` values before they are read, so that an invented length is refused immediately. */
function spend(walk: Walk, count: number): boolean {
  if (count > walk.budget.valuesLeft) {
    refuse(walk, TOO_MANY);
    return false;
  }
  walk.budget.valuesLeft -= count;
  return true;
}

/** A lower bound for objects with a key per byte or character: listing those keys could use all memory. */
function fewestKeys(source: object): number {
  if (ArrayBuffer.isView(source)) return 'length' in source ? wholeLength(source.length) : 0;
  return source instanceof String ? source.length : 0;
}

const TOO_MANY = `exceeds the limit of ${MAX_VALUES} values in a batch`;

function notJson(value: unknown): string {
  return `must be something that JSON can carry, got ${describeValue(value)}`;
}

function refuse(walk: Walk, problem: string): undefined {
  walk.problem = problem;
  return undefined;
}

function refuseDepth(source: object, walk: Walk): undefined {
  walk.tooDeep = source;
  return refuse(walk, `nests deeper than ${MAX_LEVELS} levels`);
}

function refuseWithin(source: object, key: string | number, walk: Walk): undefined {
  if (walk.tooDeep === undefined) walk.path = describeStep(key) + walk.path;
  else if (walk.tooDeep === source) walk.problem = 'contains itself, which JSON cannot carry';
  return undefined;
}

function refuseUnreadable(source: object, key: string | number | undefined, walk: Walk): undefined {
  refuse(walk, 'cannot be read');
  return key === undefined ? undefined : refuseWithin(source, key, walk);
}

function shortenPath(path: string): string {
  return path.length <= 80 ? path : withoutHalves(`${path.slice(0, 40)}…${path.slice(-39)}`);
}
