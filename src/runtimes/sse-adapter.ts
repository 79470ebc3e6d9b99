import type { LineSplitter } from '../lib/ndjson.ts';
import { createSseSplitter, type SsePiece } from '../lib/sse.ts';
import type { RuntimeAdapterOptions } from './adapter.ts';
import { createTextAdapter, type HostedAdapter, type LineReader } from './line-adapter.ts';

/**
 * An adapter for a runtime that is listened to over server-sent events with one JSON object a frame. One adapter is for
 * one connection: whoever connects again takes a new one (`resumed`, `nextSeq`, `lastTMs`).
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

/** All of these wires repeat the frame's event in the object. An answer that is no stream is one object, too: an error. */
function textOf(piece: SsePiece): string {
  switch (piece.kind) {
    case 'frame':
      return piece.data;
    case 'stray':
      return piece.line;
  }
}
