import type { RunnerEvent } from '../contract/events.ts';
import { createSseSplitter } from '../lib/text/sse.ts';
import { createBackoff, pause } from '../lib/waiting/backoff.ts';
import { createAnthropicSessionsAdapter } from '../runtimes/anthropic/sessions.ts';
import { objectOf, parseObject, stringOf } from '../runtimes/json.ts';
import type { Followed, FollowTools } from './follower.ts';
import type { LoggedSession } from './logged-session.ts';
import { persist } from './persist.ts';
import type { ByteStream } from './provider/byte-stream.ts';
import type { ProviderFault } from './provider/fault.ts';
import type { ProviderRequest } from './provider/provider.ts';
import { readHistory, sessionRequest } from './provider/session-history.ts';
import { createSessionReader } from './provider/session-reader.ts';
import { blame, leavingReason, OUT_OF_TIME } from './verdict.ts';

/** How one connection ended: the log is complete, the follower must reconnect, or retries cannot help. */
type Connection =
  | { readonly kind: 'done' }
  | { readonly kind: 'lost'; readonly fault: ProviderFault }
  | { readonly kind: 'hopeless'; readonly fault: ProviderFault };

/** Events of the run, one group for each event of the session. */
type Groups = readonly (readonly RunnerEvent[])[];

/**
 * Follows a session until its turn ends. The stream has no cursor: each connection opens the stream first,
 * then reads the history, then the stream, and skips events that it has read before.
 */
export async function followSession(
  { provider, log, limits, config, signal }: FollowTools,
  sessionId: string,
  logged: LoggedSession,
): Promise<Followed> {
  const path = `v1/sessions/${encodeURIComponent(sessionId)}`;
  const trying = { limits, patienceMs: config.patienceMs, signal, onRetry: log.warn };
  const ask = (request: ProviderRequest) => persist(() => provider.ask(request, signal), trying);

  const session = await ask(sessionRequest(`${path}?beta=true`));
  if (signal.aborted) return leave();
  if (session.kind !== 'answered') return fail(session.fault);
  const adapter = createAnthropicSessionsAdapter({ session: session.body, lastTMs: log.opened.lastTMs });
  const reader = createSessionReader(adapter, logged);
  const backoff = createBackoff({ firstMs: limits.backoffMs, longestMs: limits.maxBackoffMs });

  for (let attempt = 1; ; attempt += 1) {
    const before = reader.size();
    const connection = await connect();
    if (connection.kind === 'done') return 'done';
    if (signal.aborted) return leave();
    if (connection.kind === 'hopeless') return fail(connection.fault);
    if (reader.size() > before) backoff.reset();
    const isOpen = await log.warn(connection.fault, attempt);
    if (isOpen) await pause(backoff.nextMs(), signal);
    if (signal.aborted) return leave();
    if (!isOpen) return 'left';
  }

  async function connect(): Promise<Connection> {
    const request = sessionRequest(`${path}/events/stream?beta=true`);
    const opened = await persist(() => provider.open(request, signal), trying);
    if (opened.kind !== 'answered') return { kind: 'hopeless', fault: opened.fault };
    try {
      return (await readPast()) ?? (await readLive(opened.body));
    } finally {
      opened.body.close();
    }
  }

  /**
   * Reads the history. Returns null if the session continues, which is only known at the end of the history
   * because it may have many turns.
   */
  async function readPast(): Promise<Connection | null> {
    for await (const page of readHistory(path, (to) => ask(sessionRequest(to)))) {
      if (page.kind !== 'answered') return { kind: 'hopeless', fault: page.fault };
      const told = await tell(page.body.map((event) => reader.take(event, false)));
      if (told) return told;
    }
    return reader.isOver() ? tell([adapter.end()], 'last') : null;
  }

  async function readLive(stream: ByteStream): Promise<Connection> {
    const frames = createSseSplitter();
    for (;;) {
      const read = await stream.read();
      if (read.kind !== 'bytes') return lost(read.kind === 'ended' ? 'connection_lost' : read.reason);
      const groups: RunnerEvent[][] = [];
      for (const piece of frames.push(read.bytes)) {
        const event = piece.kind === 'frame' ? parseObject(piece.data) : null;
        if (stringOf(event?.type) === undefined || event === null) continue;
        if (event.type === 'error') {
          const error = objectOf(event.error);
          const fault = provider.fault(stringOf(error?.type), stringOf(error?.message));
          return (await tell(groups)) ?? { kind: 'lost', fault };
        }
        groups.push(reader.take(event, true));
        if (reader.isOver()) return tell([...groups, adapter.end()], 'last');
      }
      const told = await tell(groups);
      if (told) return told;
    }
  }

  function tell(groups: Groups, part: 'last'): Promise<Connection>;
  function tell(groups: Groups): Promise<Connection | null>;
  async function tell(groups: Groups, part?: 'last'): Promise<Connection | null> {
    const isOpen = await log.append(groups);
    if (part === 'last') return { kind: 'done' };
    // The signal has been aborted with the reason by now.
    if (!isOpen) return lost('log_closed');
    if (reader.size() <= limits.maxSessionEvents) return null;
    const message = `the session exceeds the limit of ${limits.maxSessionEvents} events`;
    return { kind: 'hopeless', fault: { errorType: 'session_too_long', message } };
  }

  async function fail(fault: ProviderFault): Promise<Followed> {
    await log.end({ outcome: 'failed', reason: fault.errorType }, blame(fault));
    return 'done';
  }

  async function leave(): Promise<Followed> {
    switch (leavingReason(signal)) {
      case 'closing':
      case 'lost':
        return 'left';
      case 'deadline':
        await log.end(OUT_OF_TIME);
        await interrupt();
        return 'done';
      case 'run_ended':
        await interrupt();
        return 'done';
    }
  }

  /**
   * Interrupts the session, since its run has ended. Tries only once and ignores the result. Another process
   * that has taken the run over may still follow the session, or may have followed it to its end.
   */
  async function interrupt(): Promise<void> {
    if (!(await log.hasEndedHere())) return;
    const request = sessionRequest(`${path}/events?beta=true`, { events: [{ type: 'user.interrupt' }] });
    await provider.ask(request, AbortSignal.timeout(limits.lastWordsMs));
  }
}

function lost(errorType: string): Connection {
  return { kind: 'lost', fault: { errorType, message: 'the connection to the session was lost' } };
}
