import type { Append } from '../store.ts';

/** Text of a Postgres array of numbers. Joined here because the driver's own encoder looks at every element. */
function numbers(values: readonly (number | null)[]): string {
  return `{${values.map((value) => value ?? 'NULL').join(',')}}`;
}

/** Control characters and surrogates: JSON may spell them with escapes that an array's text does not know. */
const SPELLED_OTHERWISE = /[^ -\ud7ff\ue000-\uffff]/;

/** Quotes one string for an array's text. Both escape alike otherwise, and JSON's way is six times as fast. */
function quoted(value: string): string {
  if (!SPELLED_OTHERWISE.test(value)) return JSON.stringify(value);
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** Text of a Postgres array of strings. */
function strings(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? 'NULL' : quoted(value))).join(',')}}`;
}

/** The commit statement's parameters: one array a column, first the heads, then the events. */
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

/** Text of a Postgres array of numbers, for the statements that take one. */
export const numberArray = numbers;
