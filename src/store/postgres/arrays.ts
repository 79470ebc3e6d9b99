import type { Append } from '../store.ts';

/** Encodes a Postgres array of numbers. Joined here because the driver's encoder inspects every element. */
function numbers(values: readonly (number | null)[]): string {
  return `{${values.map((value) => value ?? 'NULL').join(',')}}`;
}

/** Control characters and surrogates: JSON may write them as escapes that array literals do not support. */
const SPELLED_OTHERWISE = /[^ -\ud7ff\ue000-\uffff]/;

/** Quotes one string for an array literal. JSON otherwise escapes the same way and is six times as fast. */
function quoted(value: string): string {
  if (!SPELLED_OTHERWISE.test(value)) return JSON.stringify(value);
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** Encodes a Postgres array of strings. */
function strings(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? 'NULL' : quoted(value))).join(',')}}`;
}

/** Returns the parameters of the commit statement: one array per column, first of heads, then of events. */
export function commitParameters(appends: readonly Append[]): string[] {
  const events = appends.flatMap(({ run, events }) => events.map((event) => ({ run, event })));
  return [
    numbers(appends.map(({ run }) => run)),
    numbers(appends.map(({ expectedLastSeq }) => expectedLastSeq)),
    numbers(appends.map(({ head }) => head.lastSeq)),
    numbers(appends.map(({ head }) => head.lastSourceSeq)),
    numbers(appends.map(({ head }) => head.lastTMs)),
    numbers(appends.map(({ head }) => head.eventCount)),
    numbers(appends.map(({ head }) => head.serverEvents)),
    numbers(appends.map(({ head }) => head.dataBytes)),
    numbers(appends.map(({ head }) => head.terminalSeq)),
    numbers(appends.map(({ startedAt }) => startedAt)),
    numbers(appends.map(({ endedAt }) => endedAt)),
    strings(appends.map(({ head }) => head.fence)),
    numbers(events.map(({ run }) => run)),
    numbers(events.map(({ event }) => event.seq)),
    numbers(events.map(({ event }) => event.sourceSeq)),
    numbers(events.map(({ event }) => event.tMs)),
    strings(events.map(({ event }) => event.kind)),
    strings(events.map(({ event }) => event.data)),
    numbers(events.map(({ event }) => event.committedAt)),
  ];
}

/** Encodes numbers as the text of a Postgres array, for statements with an array parameter. */
export const numberArray = numbers;
