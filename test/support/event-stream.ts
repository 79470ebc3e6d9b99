/** One message of a server-sent event stream. */
export interface StreamMessage {
  readonly event: string;
  readonly data: string;
}

/** Reads an event stream message by message; throws when the response is none, or is cut. */
export async function* readEventStream(
  url: string,
  signal?: AbortSignal,
): AsyncGenerator<StreamMessage, void> {
  const response = await fetch(url, {
    headers: { accept: 'text/event-stream' },
    ...(signal && { signal }),
  });
  if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}: ${await response.text()}`);
  let rest = '';
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const message = parseMessage(block);
      if (message) yield message;
    }
  }
}

/** Null for a comment, which keeps the connection alive. */
function parseMessage(block: string): StreamMessage | null {
  const lines = block.split('\n').filter((line) => line !== '' && !line.startsWith(':'));
  if (lines.length === 0) return null;
  const values = (field: string) =>
    lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).trim());
  return { event: values('event')[0] ?? 'message', data: values('data').join('\n') };
}
