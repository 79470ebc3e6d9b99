/** The result of one read of a stream. */
export type Read =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'ended' }
  /** The connection was cut, or no byte arrived within `idleMs`. */
  | { readonly kind: 'broken'; readonly reason: 'connection_lost' | 'idle_timeout' };

/** The body of a response, read at the pace of its reader. Nothing rejects. */
export interface ByteStream {
  read(): Promise<Read>;
  /** Reads the rest as text. Returns null if the connection was cut or the text exceeds `maxBytes`. */
  readAll(maxBytes: number): Promise<string | null>;
  /** Releases the connection. May be called again. */
  close(): void;
}

/** How a stream controls its request. */
export interface StreamHandles {
  /** A read without a byte for this many milliseconds breaks the stream. */
  readonly idleMs: number;
  /** Cuts the connection. */
  abort(): void;
  /** Is called when the stream is closed. */
  release(): void;
}

/** Returns the body of a response as a stream. An absent body is an empty stream. */
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
