/**
 * The address that requests go to: `http:` or `https:`, its path ending in `/graphql`. Takes a server's address with or
 * without `/graphql`, as `http:`, `https:`, `ws:` or `wss:`; in a page also a relative one, such as `/graphql`. Throws a
 * TypeError for anything else, and for an address that holds a password.
 */
export function addressOf(url: string | URL): string {
  const address = parsed(url);
  // Where fetch refuses such a URL its error repeats all of it.
  if (address.username || address.password) {
    throw new TypeError('a server’s URL holds no user or password: pass a token');
  }
  if (!/^(http|ws)s?:$/.test(address.protocol)) {
    throw new TypeError('a server’s URL begins with http:, https:, ws: or wss:');
  }
  const path = address.pathname.replace(/\/+$/, '');
  address.pathname = path.endsWith('/graphql') ? path : `${path}/graphql`;
  address.hash = '';
  return address.href.replace(/^ws/, 'http');
}

/** The page that this runs in; null outside of browsers. */
export function pageAddress(): string | null {
  const { location } = globalThis as { readonly location?: { readonly href?: unknown } };
  return typeof location?.href === 'string' ? location.href : null;
}

function parsed(url: string | URL): URL {
  const base = pageAddress() ?? undefined;
  if (URL.canParse(String(url), base)) return new URL(url, base);
  throw new TypeError(
    'a server’s URL is whole, such as http://127.0.0.1:4000; only in a page may it be relative',
  );
}
