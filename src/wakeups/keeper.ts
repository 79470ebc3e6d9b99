import { setTimeout as sleep } from 'node:timers/promises';
import { unlessAborted } from '../lib/cancellable.ts';
import type { Link, OpenLink } from './link.ts';
import { decodeMessage, encodeProbe } from './messages.ts';
import type { PlaneLog, Wake } from './plane.ts';

/** How often a link is probed and reopened, in milliseconds. */
export interface LinkTiming {
  /** How often the process sends itself a probe. */
  readonly probeMs: number;
  /** A link is dropped if a probe has not come back after this. */
  readonly probeTimeoutMs: number;
  /** The pause before reconnecting: at least half of this, doubled after each failure up to the maximum. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
}

export const LINK_TIMING: LinkTiming = {
  probeMs: 5_000,
  probeTimeoutMs: 2_000,
  backoffMs: 100,
  maxBackoffMs: 5_000,
};

/** The callbacks of a kept link. */
export interface KeptLinkEvents {
  /** Wakes of another process have arrived. */
  wakes(wakes: readonly Wake[]): void;
  /** The link is subscribed again after an outage. Wakes that were sent in between are lost. */
  gap(): void;
}

/** A link that is reopened whenever it breaks. */
export interface KeptLink {
  /** Returns the open link, or null during an outage. */
  current(): Link | null;
  close(): Promise<void>;
}

/**
 * Keeps a link open. Resolves once the first attempt has succeeded or failed. A connection can be open and
 * yet receive nothing (after a failover, behind a proxy), so the process keeps sending itself probes, which
 * must come back.
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

  /**
   * Counts a link as working only after its first probe: a link that opens and breaks again and again must
   * not be reopened or logged in a tight loop.
   */
  function provedSound(): void {
    failures = 0;
    if (!down) return;
    down = false;
    log.warn({}, 'wake-ups between processes work again');
  }

  function wentDown(error: unknown): void {
    link = null;
    failures += 1;
    if (down || signal.aborted) return;
    down = true;
    // Only the message: a driver's error may contain the failed command, which may contain the password.
    const reason = error instanceof Error ? error.message || error.name : String(error);
    log.warn({ reason }, 'wake-ups between processes are down: falling back to polling');
  }

  async function probe(opened: Link, broke: (error: Error) => void): Promise<void> {
    while (link === opened) {
      const number = ++probesSent;
      const sentAt = performance.now();
      opened.send([encodeProbe(origin, number)]).catch(broke);
      await pause(timing.probeTimeoutMs, signal);
      // If this process stood still, the answer may be in the socket, which is read before the next check, or
      // the probe has not been sent yet.
      await new Promise(setImmediate);
      if (link !== opened) return;
      if (probesBack < number) {
        const stoodStill = performance.now() - sentAt > timing.probeTimeoutMs * 1.1;
        if (stoodStill) continue;
        return broke(new Error('a probe did not come back'));
      }
      provedSound();
      await pause(timing.probeMs - timing.probeTimeoutMs, signal);
    }
  }

  /** Opens a link and holds it until it breaks or the keeper closes. */
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
        // Jitter keeps all processes from reconnecting at the same moment to a server that has just
        // recovered.
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

/** Resolves after the time has passed or as soon as the signal aborts. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.max(0, milliseconds), undefined, { signal, ref: false }).catch(() => {});
}
