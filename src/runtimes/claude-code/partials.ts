import type { JsonObject, JsonValue } from '../../contract/events.ts';
import { fieldsOf, idOf, numberOf, objectOf, stringOf } from '../json.ts';
import type { RunRecorder } from '../recorder.ts';
import { createStreamedText, type StreamedText } from '../streamed-text.ts';

const MAX_STREAMS = 64;
const MAX_BLOCKS = 64;

type TextKind = 'text' | 'thinking';

interface StreamedBlock {
  readonly kind: TextKind;
  readonly index: number;
  readonly text: StreamedText;
}

interface StreamedMessage {
  readonly id: string | undefined;
  /** The blocks that have not arrived complete yet, in the order in which they began. */
  readonly blocks: StreamedBlock[];
}

/** What a complete block adds to its pieces: everything, the rest, or text that differs from them. */
export type Whole =
  | { readonly state: 'unseen' }
  | { readonly state: 'streamed'; readonly rest: string }
  | { readonly state: 'replaced' };

/**
 * The messages that arrive in pieces (`--include-partial-messages`). Text and thinking are recorded from the
 * pieces, all other blocks from the `assistant` lines, which repeat every block complete, one per line and
 * without its index.
 */
export interface PartialMessages {
  /** Reads a `stream_event` line. */
  read(line: JsonObject, run: RunRecorder): void;
  /** Finds and forgets the pieces of a block that arrived complete. `parent` is '' for the main agent. */
  match(parent: string, messageId: string | undefined, kind: TextKind, whole: string): Whole;
}

/** Creates an empty set. It remembers one message for each of at most 64 agents, as digests. */
export function createPartialMessages(): PartialMessages {
  const streams = new Map<string, StreamedMessage>();

  const begin = (parent: string, id: string | undefined): StreamedMessage => {
    const message = { id, blocks: [] };
    streams.delete(parent);
    streams.set(parent, message);
    for (const oldest of streams.keys()) {
      if (streams.size <= MAX_STREAMS) break;
      streams.delete(oldest);
    }
    return message;
  };

  const tell = (parent: string, kind: TextKind, index: number, piece: string, run: RunRecorder): void => {
    if (piece === '') return;
    const message = streams.get(parent) ?? begin(parent, undefined);
    let block = message.blocks.findLast((known) => known.index === index && known.kind === kind);
    if (block === undefined) {
      block = { kind, index, text: createStreamedText() };
      message.blocks.push(block);
      if (message.blocks.length > MAX_BLOCKS) message.blocks.shift();
    }
    block.text.add(piece);
    const origin = { ...originOf(message.id, parent), blockIndex: index };
    if (kind === 'text') run.emit('assistant_text', { text: piece, ...origin });
    else run.notify('thinking', { thinking: piece }, origin);
  };

  const readDelta = (parent: string, event: JsonObject, run: RunRecorder): void => {
    const delta = objectOf(event.delta);
    const index = numberOf(event.index) ?? 0;
    switch (delta?.type) {
      case 'text_delta':
      case 'thinking_delta': {
        const kind = delta.type === 'text_delta' ? 'text' : 'thinking';
        const piece = stringOf(delta[kind]);
        if (piece === undefined) run.notify('unknown_delta', event);
        else tell(parent, kind, index, piece, run);
        break;
      }
      // The `assistant` line has these complete.
      case 'input_json_delta':
      case 'signature_delta':
      case 'citations_delta':
      case 'compaction_delta':
        break;
      default:
        run.notify('unknown_delta', event);
    }
  };

  const readBlockStart = (parent: string, event: JsonObject, run: RunRecorder): void => {
    const block = objectOf(event.content_block);
    if (block?.type !== 'text' && block?.type !== 'thinking') return;
    tell(parent, block.type, numberOf(event.index) ?? 0, stringOf(block[block.type]) ?? '', run);
  };

  return {
    read(line, run) {
      const event = objectOf(line.event);
      const parent = idOf(line.parent_tool_use_id) ?? '';
      switch (event?.type) {
        case 'message_start': {
          const message = objectOf(event.message);
          const id = idOf(message?.id);
          begin(parent, id);
          run.notify('request_started', requestOf(message, line.ttft_ms), originOf(id, parent));
          break;
        }
        case 'content_block_start':
          readBlockStart(parent, event, run);
          break;
        case 'content_block_delta':
          readDelta(parent, event, run);
          break;
        case 'message_delta': {
          const { type: _, ...payload } = event;
          run.notify('message_delta', payload, originOf(streams.get(parent)?.id, parent));
          break;
        }
        case 'content_block_stop':
        case 'message_stop':
        case 'ping':
          break;
        case 'error': {
          const error = objectOf(event.error);
          run.warn(stringOf(error?.message) ?? 'The model stream reported an error without a message', {
            ...fieldsOf({ errorType: stringOf(error?.type) }),
          });
          break;
        }
        default:
          run.notify('unknown_line', line);
      }
    },
    match(parent, messageId, kind, whole) {
      const message = streams.get(parent);
      const isOther = messageId !== undefined && message?.id !== undefined && messageId !== message.id;
      const at = message?.blocks.findIndex((block) => block.kind === kind) ?? -1;
      if (message === undefined || isOther || at === -1) return { state: 'unseen' };
      const [block] = message.blocks.splice(at, 1);
      const rest = block?.text.restOf(whole) ?? null;
      return rest === null ? { state: 'replaced' } : { state: 'streamed', rest };
    },
  };
}

function originOf(messageId: string | undefined, parent: string): JsonObject {
  return fieldsOf({ messageId, parentToolId: parent === '' ? undefined : parent });
}

function requestOf(message: JsonObject | null, ttftMs: JsonValue | undefined): JsonObject {
  return fieldsOf({ model: message?.model, usage: message?.usage, ttftMs });
}
