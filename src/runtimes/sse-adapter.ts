import type { LineSplitter } from '../lib/text/ndjson.ts';
import { createSseSplitter, type SsePiece } from '../lib/text/sse.ts';
import type { RuntimeAdapterOptions } from './adapter.ts';
import { createTextAdapter, type HostedAdapter, type LineReader } from './line-adapter.ts';

/**
 * Creates an adapter for a runtime that sends server-sent events with one JSON object per frame. An adapter
 * is for one connection: create a new one (with `resumed`, `nextSeq`, `lastTMs`) for each reconnection.
 */
export function createSseAdapter(reader: LineReader, options: RuntimeAdapterOptions): HostedAdapter {
  return createTextAdapter(createFrameTexts(), reader, options);
}

function createFrameTexts(): LineSplitter {
  const splitter = createSseSplitter();
  return {
    push: (bytes) => splitter.push(bytes).map(textOf),
    end: () => splitter.end().map(textOf),
    dropped: splitter.dropped,
  };
}

/** All of these formats repeat the frame's event in the object. Answers of other types are error objects. */
function textOf(piece: SsePiece): string {
  switch (piece.kind) {
    case 'frame':
      return piece.data;
    case 'stray':
      return piece.line;
  }
}
