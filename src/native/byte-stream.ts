/** What the next read of a stream brought. */
export type Read =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'ended' }
  /** Cut, or nothing came for too long. */
  | { readonly kind: 'broken'; readonly reason: 'connection_lost' | 'idle_timeout' };

/** The body of an answer, read as fast as its reader wants and no faster. Nothing rejects. */
export interface ByteStream {
  read(): Promise<Read>;
  /** All of it as text; null: it was cut, or has more bytes. */
  readAll(maxBytes: number): Promise<string | null>;
  /** Lets go of the connection. May be called again. */
  close(): void;
}

/** What a stream needs of the request that it answers. */
export interface StreamHandles {
  /** A read that brings nothing for so long breaks the stream. */
  readonly idleMs: number;
  /** Cuts the connection. */
  abort(): void;
  /** Is called once the stream is closed. */
  release(): void;
}

/** The body of a response. */
export function streamOf(response: Response, { idleMs, abort, release }: StreamHandles): ByteStream {
  const reader = response.body?.getReader();

  async function read(): Promise<Read> {
    if (!reader) return { kind: 'ended' };
    let idle = false;
    const timer = setTimeout(() => {
      idle = true;
      abort();
    }, idleMs);
    try {
      const { done, value } = await reader.read();
      return done ? { kind: 'ended' } : { kind: 'bytes', bytes: value };
    } catch {
      return { kind: 'broken', reason: idle ? 'idle_timeout' : 'connection_lost' };
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    read,
    readAll: async (maxBytes) => {
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      for (;;) {
        const next = await read();
        if (next.kind === 'broken') return null;
        if (next.kind === 'ended') return Buffer.concat(chunks).toString();
        bytes += next.bytes.byteLength;
        if (bytes > maxBytes) return null;
        chunks.push(next.bytes);
      }
    },
    close: release,
  };
}
