import type { JsonObject, JsonValue } from '../contract/events.ts';

type Field = JsonValue | undefined;

/** The maximum nesting depth of an event's `data`, which itself is level 1. */
export const MAX_DATA_LEVELS = 512;

/** Returns the JSON object in a line of text, or null for anything else. Never throws. */
export function parseObject(line: string): JsonObject | null {
  // The first character identifies most noise, which is far cheaper than a parser's exception.
  if (!/^\s*\{/.test(line)) return null;
  try {
    const value: unknown = JSON.parse(line);
    return value as JsonObject;
  } catch {
    return null;
  }
}

/** Returns the field if it is a JSON object, else null. */
export function objectOf(field: Field): JsonObject | null {
  return typeof field === 'object' && field !== null && !Array.isArray(field) ? (field as JsonObject) : null;
}

/** Returns the field if it is an array, else null. */
export function listOf(field: Field): readonly JsonValue[] | null {
  return Array.isArray(field) ? (field as readonly JsonValue[]) : null;
}

/** Returns the field if it is a string, else undefined. */
export function stringOf(field: Field): string | undefined {
  return typeof field === 'string' ? field : undefined;
}

const MAX_ID_LENGTH = 512;

/** Returns the field if it is a string of at most 512 UTF-16 units, to be kept as an id, else undefined. */
export function idOf(field: Field): string | undefined {
  return typeof field === 'string' && field.length <= MAX_ID_LENGTH ? field : undefined;
}

/** Returns the field if it is a finite number, else undefined. */
export function numberOf(field: Field): number | undefined {
  return typeof field === 'number' && Number.isFinite(field) ? field : undefined;
}

/** Returns a line without its `type`, for notifications whose name already says it. */
export function payloadOf({ type: _, ...payload }: JsonObject): JsonObject {
  return payload;
}

/** Returns the defined fields in order, as a JSON object. Only for fixed keys, not for the wire's. */
export function fieldsOf(fields: { readonly [key: string]: Field }): JsonObject {
  const present: { [key: string]: JsonValue } = {};
  for (const key in fields) {
    const value = fields[key];
    if (value !== undefined) present[key] = value;
  }
  return present;
}

/** Why a parsed value cannot be an event's data: no reason, its depth, or a number too large for a double. */
export type DataFault = 'none' | 'too_deep' | 'not_finite';

/** Searches a parsed value for what the contract refuses. The recursion ends at the depth limit. */
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

/** Returns a copy with null for each number too large for a double (`1e999`), as JSON writes it. */
export function withoutInfinities(data: JsonObject): JsonObject {
  const copy: unknown = JSON.parse(JSON.stringify(data));
  return copy as JsonObject;
}
