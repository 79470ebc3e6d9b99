import { leaveWith } from '../lib/leaving.ts';
import { pageAddress } from './address.ts';
import { type StreamCut, StreamRefused } from './feed.ts';

/** A probe that is not answered within this says nothing. */
const PROBE_MS = 10_000;

/**
 * Why a first connection that failed would fail again, as far as that can be found out; null: it may have been a passing
 * fault. Only for an address where no connection has been open yet: behind a proxy that restarts, a right one may answer
 * with 404 for a moment, too.
 */
export async function wrongAddress(
  url: string,
  cut: StreamCut,
  signal: AbortSignal,
): Promise<StreamRefused | null> {
  if (cut.status === 404) {
    return new StreamRefused(`${url} answers 404: pass the address of a runfeed server`, 'NOT_FOUND');
  }
  if (cut.status === 403) {
    return new StreamRefused(`${url} answers 403: it refuses this client or this page’s origin`, 'FORBIDDEN');
  }
  if (cut.status === null && (await isShutToPage(url, signal))) {
    return new StreamRefused(
      `${new URL(url).origin} is reached but shows nothing to pages of another origin: serve the page from the server’s own origin, or pass a path on the page’s origin that a proxy forwards`,
      'FORBIDDEN',
    );
  }
  return null;
}

/**
 * Whether a server on another origin than the page's answers, but not to this page. A browser hides a refusal: to the
 * page it looks like a server that is down. A request that asks to see nothing (`no-cors`) resolves all the same.
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
