import type { StreamedEvent } from '../client/stream/feed.ts';
import { harmless } from './terminal/harmless.ts';

const WIDTH = 96;

/** Formats an event as one line: number, seconds since `startedAt`, kind, and the start of its data. */
export function eventLine({ seq, tMs, kind, data }: StreamedEvent, startedAt: number): string {
  const seconds = `${((tMs - startedAt) / 1_000).toFixed(1)}s`;
  const line = `${String(seq).padStart(4)} ${seconds.padStart(7)}  ${kind.padEnd(16)}  ${gist(data)}`;
  return harmless(line);
}

function gist(data: StreamedEvent['data']): string {
  const text = typeof data.text === 'string' ? JSON.stringify(data.text) : JSON.stringify(data);
  return text.length > WIDTH ? `${text.slice(0, WIDTH - 1)}…` : text;
}
