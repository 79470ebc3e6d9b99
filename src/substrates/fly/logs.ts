import { z } from 'zod';
import type { RunnerJobHandle } from '../../contract/jobs.ts';
import type { Call } from '../fly-api/calls.ts';
import type { FlyConfig } from '../fly-api/config.ts';
import type { Send } from '../fly-api/http.ts';
import { type LogTail, tailOf } from '../substrate.ts';

/** Fly returns only the newest hundred lines. */
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
 * Returns a machine's newest lines, oldest first. Null if none are available. Shows at most 256 KiB. Fly
 * calls this API unsupported, and lines written seconds ago may still be missing.
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
  // All times have the same format, so that sorting them as text sorts them by time.
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
