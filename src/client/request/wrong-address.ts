import { leaveWith } from '../../lib/waiting/leaving.ts';
import { type StreamCut, StreamRefused } from '../stream/feed.ts';
import { pageAddress } from './address.ts';

/** Timeout of a probe, in milliseconds. */
const PROBE_MS = 10_000;

/**
 * Finds out why a failed first connection would fail again. Null: the fault may be temporary. Use this only
 * for an address where no connection has opened yet: behind a restarting proxy, a correct address may answer
 * 404 for a moment too.
 */
export async function wrongAddress(
  url: string,
  cut: StreamCut,
  signal: AbortSignal,
): Promise<StreamRefused | null> {
  if (cut.status === 404) {
    return new StreamRefused(`${url} answered 404: pass the address of a runfeed server`, 'NOT_FOUND');
  }
  if (cut.status === 403) {
    return new StreamRefused(
      `${url} answered 403: the server refuses this client or this page’s origin`,
      'FORBIDDEN',
    );
  }
  if (cut.status === null && (await isShutToPage(url, signal))) {
    return new StreamRefused(
      `${new URL(url).origin} is reachable but refuses pages of other origins: serve the page from the server’s own origin, or pass a path on the page’s origin that a proxy forwards`,
      'FORBIDDEN',
    );
  }
  return null;
}

/**
 * Returns true if a server on another origin answers, but not to this page. A browser hides the refusal: to
 * the page it looks like a server that is down. A request that does not need to see the answer (`no-cors`)
 * resolves nonetheless.
 */
async function isShutToPage(url: string, signal: AbortSignal): Promise<boolean> {
  const page = pageAddress();
  if (page === null || new URL(page).origin === new URL(url).origin) return false;
  return !(await isAnswered(url, 'cors', signal)) && (await isAnswered(url, 'no-cors', signal));
}

async function isAnswered(url: string, mode: RequestMode, stop: AbortSignal): Promise<boolean> {
  const leaving = leaveWith(stop);
  const late = setTimeout(() => leaving.leave(), PROBE_MS);
  try {
    const { body } = await fetch(url, { mode, signal: leaving.signal });
    await body?.cancel();
    return true;
  } catch {
    return false;
  } finally {
    clearTimeout(late);
    leaving.release();
  }
}
