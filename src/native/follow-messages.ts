import type { JsonObject } from '../contract/events.ts';
import { createAnthropicMessagesAdapter } from '../runtimes/anthropic/messages.ts';
import type { Followed, FollowTools } from './follower.ts';
import { persist } from './persist.ts';
import type { ByteStream, Read } from './provider/byte-stream.ts';
import type { Answer } from './provider/provider.ts';
import { blame, type End, endedBy, leavingReason, OUT_OF_TIME } from './verdict.ts';

/** The end of a run whose response was lost because its server stopped. */
export const SERVER_RESTARTED: End = { outcome: 'failed', reason: 'server_restarted' };
const TRUNCATED: End = { outcome: 'failed', reason: 'stream_truncated' };
const IDLE: End = { outcome: 'failed', reason: 'idle_timeout' };

/** A response whose first bytes have arrived. */
interface Begun {
  readonly stream: ByteStream;
  readonly first: Uint8Array;
}

/**
 * Sends one Messages request and stores its response. The request is retried only until the first byte of a
 * response: the provider cannot resume a response.
 */
export async function followMessages(
  { provider, log, limits, config, signal }: FollowTools,
  request: JsonObject,
): Promise<Followed> {
  const body = { ...request, stream: true };
  const begun = await persist(() => begin(), {
    limits,
    patienceMs: config.patienceMs,
    signal,
    onRetry: log.warn,
  });
  if (signal.aborted) {
    if (begun.kind === 'answered') begun.body.stream.close();
    return leave();
  }
  if (begun.kind !== 'answered') {
    await log.end({ outcome: 'failed', reason: begun.fault.errorType }, blame(begun.fault));
    return 'done';
  }
  const { stream, first } = begun.body;
  const adapter = createAnthropicMessagesAdapter({ singleRequest: true, lastTMs: log.opened.lastTMs });
  adapter.request(body);
  try {
    let read: Read = { kind: 'bytes', bytes: first };
    while (read.kind === 'bytes') {
      const events = adapter.push(read.bytes);
      if (adapter.isWhole()) events.push(...adapter.end());
      if (!(await log.append([events])) || adapter.isWhole()) return 'done';
      read = await stream.read();
    }
    const end = signal.aborted ? endOfLeaving() : endOfRead(read);
    if (end) await log.append([endedBy(adapter.end(), end)]);
    return 'done';
  } finally {
    stream.close();
  }

  async function begin(): Promise<Answer<Begun>> {
    const opened = await provider.open({ path: 'v1/messages', body }, signal);
    if (opened.kind !== 'answered') return opened;
    const stream = opened.body;
    const read = await stream.read();
    if (read.kind === 'bytes') return { kind: 'answered', body: { stream, first: read.bytes } };
    stream.close();
    const message = 'the provider closed the connection before its response began';
    return { kind: 'unavailable', fault: { errorType: 'connection_lost', message }, retryAfterMs: 0 };
  }

  /** Returns null if the log accepts no more events from this process. */
  function endOfLeaving(): End | null {
    switch (leavingReason(signal)) {
      case 'closing':
        return SERVER_RESTARTED;
      case 'deadline':
        return OUT_OF_TIME;
      case 'run_ended':
      case 'lost':
        return null;
    }
  }

  async function leave(): Promise<Followed> {
    const end = endOfLeaving();
    if (end) await log.end(end);
    return 'done';
  }
}

function endOfRead(read: Exclude<Read, { kind: 'bytes' }>): End {
  return read.kind === 'broken' && read.reason === 'idle_timeout' ? IDLE : TRUNCATED;
}
