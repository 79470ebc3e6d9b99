import type { JsonObject, JsonValue } from '../contract/events.ts';

type Field = JsonValue | undefined;

/** Levels of nesting that an event's `data` may have, itself included. */
export const MAX_DATA_LEVELS = 512;

/** The JSON object that a line of text holds, or null for anything else. Never throws. */
export function parseObject(line: string): JsonObject | null {
  // Most noise is told by its first character, which is far cheaper than a parser's exception.
  if (!/^\s*\{/.test(line)) return null;
  try {
    const value: unknown = JSON.parse(line);
    return value as JsonObject;
  } catch {
    return null;
  }
}

/** The field if it is a JSON object, else null. */
export function objectOf(field: Field): JsonObject | null {
  return typeof field === 'object' && field !== null && !Array.isArray(field) ? (field as JsonObject) : null;
}

/** The field if it is an array, else null. */
export function listOf(field: Field): readonly JsonValue[] | null {
  return Array.isArray(field) ? (field as readonly JsonValue[]) : null;
}

/** The field if it is a string, else undefined. */
export function stringOf(field: Field): string | undefined {
  return typeof field === 'string' ? field : undefined;
}

const MAX_ID_LENGTH = 512;

/** The field if it is a string short enough to be remembered as an id (512 UTF-16 units), else undefined. */
export function idOf(field: Field): string | undefined {
  return typeof field === 'string' && field.length <= MAX_ID_LENGTH ? field : undefined;
}

/** The field if it is a finite number, else undefined. */
export function numberOf(field: Field): number | undefined {
  return typeof field === 'number' && Number.isFinite(field) ? field : undefined;
}

/** A line without its `type`, for an event that has a name of its own. */
export function payloadOf({ type: _, ...payload }: JsonObject): JsonObject {
  return payload;
}

/** The fields that have a value, as a JSON object, in the order given. For keys of our own only. */
export function fieldsOf(fields: { readonly [key: string]: Field }): JsonObject {
  const present: { [key: string]: JsonValue } = {};
  for (const key in fields) {
    const value = fields[key];
    if (value !== undefined) present[key] = value;
  }
  return present;
}

/** What keeps a parsed value from being an event's data: nothing, its depth, or a number beyond the doubles. */
export type DataFault = 'none' | 'too_deep' | 'not_finite';

/** Looks through a parsed value for what the contract refuses. The recursion ends at the level limit. */
export function faultOf(value: JsonValue, levelsLeft: number = MAX_DATA_LEVELS): DataFault {
  if (typeof value === 'number') return Number.isFinite(value) ? 'none' : 'not_finite';
  if (typeof value !== 'object' || value === null) return 'none';
  if (levelsLeft === 0) return 'too_deep';
  let found: DataFault = 'none';
  const children: readonly JsonValue[] = Array.isArray(value) ? value : Object.values(value);
  for (const child of children) {
    const fault = faultOf(child, levelsLeft - 1);
    if (fault === 'too_deep') return fault;
    if (fault !== 'none') found = fault;
  }
  return found;
}

/** A copy with null for every number that is too large for a double (`1e999` on the wire), as JSON would write it. */
export function withoutInfinities(data: JsonObject): JsonObject {
  const copy: unknown = JSON.parse(JSON.stringify(data));
  return copy as JsonObject;
}
