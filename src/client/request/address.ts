/**
 * Returns the URL for requests: `http:` or `https:`, with a path that ends in `/graphql`. Accepts a server's
 * address with or without `/graphql`, as `http:`, `https:`, `ws:` or `wss:`; in a page also a relative one,
 * such as `/graphql`. Throws a TypeError for anything else, and for an address that contains a user or
 * password.
 */
export function addressOf(url: string | URL): string {
  const address = parsed(url);
  // fetch refuses such a URL with an error that repeats all of it.
  if (address.username || address.password) {
    throw new TypeError('a server URL must not contain a user or password: pass a token');
  }
  if (!/^(http|ws)s?:$/.test(address.protocol)) {
    throw new TypeError('a server URL must begin with http:, https:, ws: or wss:');
  }
  const path = address.pathname.replace(/\/+$/, '');
  address.pathname = path.endsWith('/graphql') ? path : `${path}/graphql`;
  address.hash = '';
  return address.href.replace(/^ws/, 'http');
}

/** The URL of the page that this runs in. Null outside of browsers. */
export function pageAddress(): string | null {
  const { location } = globalThis as { readonly location?: { readonly href?: unknown } };
  return typeof location?.href === 'string' ? location.href : null;
}

function parsed(url: string | URL): URL {
  const base = pageAddress() ?? undefined;
  if (URL.canParse(String(url), base)) return new URL(url, base);
  throw new TypeError(
    'a server URL must be absolute, such as http://127.0.0.1:4000; only pages may use a relative one',
  );
}
