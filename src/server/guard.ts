import type { IncomingHttpHeaders } from 'node:http';

/** Why a request is not let in; null: it is. */
export type Guard = (headers: IncomingHttpHeaders) => string | null;

const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

/**
 * Loopback is not access control: every page that somebody opens can reach it. A page of another site gives itself
 * away by its `Origin` (browsers set it on POST, on preflights, on websockets and on cross-site reads of an event
 * stream), and one that made its own name point to this machine by its `Host`.
 */
export function createGuard(publicUrl: URL | null): Guard {
  return ({ host, origin }) => {
    if (host === undefined) return 'a request must name its Host';
    const atPublicUrl = publicUrl !== null && host.toLowerCase() === publicUrl.host;
    if (!atPublicUrl && !LOOPBACK_HOST.test(host)) {
      return 'Host is neither a loopback address nor that of PUBLIC_URL';
    }
    if (origin === undefined) return null;
    const own = origin === `http://${host}` || (publicUrl !== null && origin === publicUrl.origin);
    return own ? null : 'Origin is another site: this server answers only its own pages and programs';
  };
}
