import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { keepLink, LINK_TIMING, type LinkTiming } from './keeper.ts';
import { LINK_GOODBYE_MS, type Link, type OpenLink } from './link.ts';
import { createLocalPlane } from './local.ts';
import { encodeWakes, foldWakes, type RemoteWake } from './messages.ts';
import type { PlaneLog, ServerPlane } from './plane.ts';

/** The most runs whose wakes may wait to be sent. Wakes of further runs are dropped. */
const MAX_WAITING_RUNS = 10_000;

/**
 * Opens a plane over a link to other processes. Within this process, wakes are delivered at once with their
 * chunk. Other processes get them without: one folded wake per run, and all wakes of a turn of the event loop
 * together. Later wakes collect until those are sent. While the link is down, wakes are dropped and `listen`
 * still resolves: `onGap` reports the gap when the link is back.
 *
 * Resolves once the link is subscribed or the first attempt has failed.
 */
export async function openRemotePlane(
  open: OpenLink,
  log: PlaneLog,
  timing: LinkTiming = LINK_TIMING,
): Promise<ServerPlane> {
  const local = createLocalPlane();
  const origin = randomBytes(6).toString('hex');
  const gapListeners = new Set<() => void>();
  const waiting = new Map<number, RemoteWake>();
  let sending: Promise<void> | null = null;
  let dropped = 0;
  let closed = false;

  const kept = await keepLink(
    open,
    {
      wakes: local.publish,
      gap: () => {
        for (const listener of gapListeners) listener();
      },
    },
    origin,
    log,
    timing,
  );

  async function sendWaiting(link: Link): Promise<void> {
    const wakes = [...waiting.values()];
    waiting.clear();
    const { messages, unsendable } = encodeWakes(origin, wakes);
    dropped += unsendable;
    try {
      if (messages.length > 0) await link.send(messages);
    } catch {
      // If the link is broken, it reports that itself, or the probe will.
      dropped += wakes.length - unsendable;
    }
  }

  async function drain(): Promise<void> {
    // Everything published in this turn of the event loop is sent together.
    await new Promise(setImmediate);
    while (waiting.size > 0) {
      const link = kept.current();
      if (link) await sendWaiting(link);
      else drop();
    }
    sending = null;
  }

  function drop(): void {
    dropped += waiting.size;
    waiting.clear();
  }

  return {
    publish: (wakes) => {
      local.publish(wakes);
      for (const { run, workspace, kind, lastSeq } of wakes) {
        const wake = { run, workspace, kind, lastSeq };
        const before = waiting.get(run);
        if (closed || (!before && waiting.size >= MAX_WAITING_RUNS)) dropped += 1;
        else waiting.set(run, before ? foldWakes(before, wake) : wake);
      }
      if (waiting.size > 0) sending ??= drain();
    },
    deliver: local.publish,
    // The link receives the wakes of every run from the start, so there is nothing to subscribe to.
    listen: local.listen,
    listenToAll: local.listenToAll,
    isRemote: true,
    onGap: (listener) => {
      gapListeners.add(listener);
      return () => gapListeners.delete(listener);
    },
    dropped: () => dropped,
    close: async () => {
      closed = true;
      if (sending) await Promise.race([sending, sleep(LINK_GOODBYE_MS, undefined, { ref: false })]);
      await kept.close();
      await sending;
    },
  };
}
