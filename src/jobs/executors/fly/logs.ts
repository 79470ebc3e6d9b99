import { z } from 'zod';
import type { RunnerJobHandle } from '../../../contract/jobs.ts';
import { clipStart } from '../../../lib/clip.ts';
import type { Call } from './calls.ts';
import type { FlyConfig } from './config.ts';
import type { Send } from './http.ts';

/** Fly gives the newest hundred lines and none before them. */
export const MAX_LOG_LINES = 100;

const MAX_LOG_LENGTH = 256 * 1024;

const logsSchema = z.object({
  data: z.array(
    z.object({
      attributes: z.object({ timestamp: z.string().catch(''), message: z.string().catch('') }),
    }),
  ),
});

/**
 * A machine's newest lines, the oldest of them first; null when there are none to be had. Fly calls this API
 * unsupported, and what was written seconds ago may not be there yet.
 */
export async function readLogs(
  send: Send,
  config: FlyConfig,
  { appName, machineId }: RunnerJobHandle,
  lines: number,
  { signal }: Call,
): Promise<string | null> {
  if (!(lines >= 1)) return null;
  const url = new URL(`${config.logsUrl.replace(/\/$/, '')}/apps/${encodeURIComponent(appName)}/logs`);
  url.searchParams.set('instance', machineId);
  const answer = await send({ method: 'GET', url }, signal);
  if (answer.kind !== 'answered' || answer.status !== 200) return null;
  const { data } = logsSchema.safeParse(answer.body).data ?? { data: [] };
  // All times have one form, in which the order of texts is that of times.
  const sorted = data.map(({ attributes }) => attributes).sort((a, b) => compare(a.timestamp, b.timestamp));
  const newest = sorted.slice(-Math.floor(lines)).map(({ message }) => message.replace(/\n$/, ''));
  return newest.length === 0 ? null : clipStart(newest.join('\n'), MAX_LOG_LENGTH);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
