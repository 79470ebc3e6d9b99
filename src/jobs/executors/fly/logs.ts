import { z } from 'zod';
import type { RunnerJobHandle } from '../../../contract/jobs.ts';
import { type LogTail, tailOf } from '../../substrate.ts';
import type { Call } from './calls.ts';
import type { FlyConfig } from './config.ts';
import type { Send } from './http.ts';

/** Fly gives the newest hundred lines and none before them. */
export const MAX_LOG_LINES = 100;

const MAX_LOG_BYTES = 256 * 1024;

const logsSchema = z.object({
  data: z.array(
    z.object({
      attributes: z.object({ timestamp: z.string().catch(''), message: z.string().catch('') }),
    }),
  ),
});

/**
 * A machine's newest lines, the oldest of them first; null when there are none to be had. At most
 * 256 KiB are to be shown. Fly calls this API unsupported, and what was written seconds ago may not be there yet.
 */
export async function readLogs(
  send: Send,
  config: FlyConfig,
  { appName, machineId }: RunnerJobHandle,
  lines: number,
  marginBytes: number,
  { signal }: Call,
): Promise<LogTail | null> {
  if (!(lines >= 1)) return null;
  const url = new URL(`${config.logsUrl.replace(/\/$/, '')}/apps/${encodeURIComponent(appName)}/logs`);
  url.searchParams.set('instance', machineId);
  const answer = await send({ method: 'GET', url }, signal);
  if (answer.kind !== 'answered' || answer.status !== 200) return null;
  const { data } = logsSchema.safeParse(answer.body).data ?? { data: [] };
  // All times have one form, in which the order of texts is that of times.
  const sorted = data.map(({ attributes }) => attributes).sort((a, b) => compare(a.timestamp, b.timestamp));
  if (sorted.length === 0) return null;
  const texts = sorted.map(({ message }) => message.replace(/\n$/, ''));
  const bytes = Buffer.from(texts.join('\n'));
  const newest = Buffer.byteLength(texts.slice(-Math.floor(lines)).join('\n'));
  return tailOf(bytes, bytes.length - Math.min(newest, MAX_LOG_BYTES), marginBytes);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
