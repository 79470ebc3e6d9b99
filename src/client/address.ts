/** A server's address as it is used. Throws a TypeError for what is none, and for one with a password in it. */
export function addressOf(url: string | URL): string {
  const { href, username, password } = new URL(url);
  // Where fetch refuses such a URL it repeats all of it.
  if (username || password) throw new TypeError('a server’s URL holds no user or password: pass a token');
  return href;
}
