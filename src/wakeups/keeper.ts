import { setTimeout as sleep } from 'node:timers/promises';
import { unlessAborted } from '../lib/cancellable.ts';
import type { Link, OpenLink } from './link.ts';
import { decodeMessage, encodeProbe } from './messages.ts';
import type { PlaneLog, Wake } from './plane.ts';

/** When a link is looked after, in milliseconds. */
export interface LinkTiming {
  /** How often a message to oneself is sent. */
  readonly probeMs: number;
  /** A link is given up on when that has not come back after this. */
  readonly probeTimeoutMs: number;
  /** Reconnecting waits at least half of this, and twice as long after each failure, up to the most. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
}

export const LINK_TIMING: LinkTiming = {
  probeMs: 5_000,
  probeTimeoutMs: 2_000,
  backoffMs: 100,
  maxBackoffMs: 5_000,
};

/** What a kept link tells its owner. */
export interface KeptLinkEvents {
  /** Another process tells these. */
  wakes(wakes: readonly Wake[]): void;
  /** It is subscribed again after having been away: what was sent meanwhile is lost. */
  gap(): void;
}

/** A link that is opened again whenever it breaks. */
export interface KeptLink {
  /** The link, while there is one. */
  current(): Link | null;
  close(): Promise<void>;
}

/**
 * Keeps a link open, and resolves once the first attempt has succeeded or failed. A connection can be alive and deaf
 * (after a fail-over, behind a proxy), so it has to prove again and again that what is sent on it comes back.
 */
export async function keepLink(
  open: OpenLink,
  events: KeptLinkEvents,
  origin: string,
  log: PlaneLog,
  timing: LinkTiming,
): Promise<KeptLink> {
  const closing = new AbortController();
  const { signal } = closing;
  let link: Link | null = null;
  let down = false;
  let failures = 0;
  let probesSent = 0;
  let probesBack = 0;

  function hear(text: string): void {
    const message = decodeMessage(text, origin);
    if (message?.type === 'wakes') events.wakes(message.wakes);
    else if (message?.type === 'probe') probesBack = Math.max(probesBack, message.number);
  }

  function cameUp(opened: Link): void {
    link = opened;
    if (down) events.gap();
  }

  /** Only a link that carries counts as sound: one that always breaks must be neither opened nor told of in a tight loop. */
  function provedSound(): void {
    failures = 0;
    if (!down) return;
    down = false;
    log.warn({}, 'wake-ups between processes are back');
  }

  function wentDown(error: unknown): void {
    link = null;
    failures += 1;
    if (down || signal.aborted) return;
    down = true;
    // The message alone: a driver's error may carry the command that failed, and that the password.
    const reason = error instanceof Error ? error.message || error.name : String(error);
    log.warn({ reason }, 'wake-ups between processes are down: the feed polls meanwhile');
  }

  async function probe(opened: Link, broke: (error: Error) => void): Promise<void> {
    while (link === opened) {
      const number = ++probesSent;
      const sentAt = performance.now();
      opened.send([encodeProbe(origin, number)]).catch(broke);
      await pause(timing.probeTimeoutMs, signal);
      // When this process stood still, the answer may lie in the socket, which is read before the next check, or the
      // question was still to be sent.
      await new Promise(setImmediate);
      if (link !== opened) return;
      if (probesBack < number) {
        const stoodStill = performance.now() - sentAt > timing.probeTimeoutMs * 1.1;
        if (stoodStill) continue;
        return broke(new Error('a wake-up sent to oneself did not come back'));
      }
      provedSound();
      await pause(timing.probeMs - timing.probeTimeoutMs, signal);
    }
  }

  /** Opens a link and holds it until it breaks or is no longer wanted. */
  async function hold(settled: () => void): Promise<void> {
    let broke: (error: Error) => void = () => {};
    const broken = new Promise<Error>((resolve) => {
      broke = resolve;
    });
    let opened: Link | undefined;
    try {
      opened = await open({ message: hear, broke }, signal);
      if (signal.aborted) return;
      cameUp(opened);
      settled();
      void probe(opened, broke);
      wentDown(await unlessAborted(broken, signal));
    } catch (error) {
      wentDown(error);
    } finally {
      settled();
      await opened?.close();
    }
  }

  let keeping: Promise<void> = Promise.resolve();
  await new Promise<void>((settled) => {
    keeping = (async () => {
      while (!signal.aborted) {
        await hold(settled);
        const most = Math.min(timing.maxBackoffMs, timing.backoffMs * 2 ** failures);
        // Jitter, or all processes would come back at the same moment to a server that just came back itself.
        if (!signal.aborted) await pause(most * (0.5 + Math.random() / 2), signal);
      }
    })();
  });

  return {
    current: () => link,
    close: () => {
      closing.abort();
      return keeping;
    },
  };
}

/** Resolves after that long, or as soon as the signal aborts. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.max(0, milliseconds), undefined, { signal, ref: false }).catch(() => {});
}
