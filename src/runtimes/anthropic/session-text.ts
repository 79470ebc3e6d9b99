import type { JsonObject } from '../../contract/events.ts';
import { listOf, numberOf, objectOf, stringOf } from '../json.ts';
import type { RunRecorder } from '../recorder.ts';
import { createPreviews } from './previews.ts';
import type { SeenIds } from './seen.ts';

/** Reads the text of a session's agent: in pieces (if the host requested them), complete, or both. */
export interface SessionText {
  /** Reads an `event_start`. */
  announce(line: JsonObject, run: RunRecorder): void;
  /** Reads an `event_delta`. */
  tell(line: JsonObject, run: RunRecorder): void;
  /** Reads a complete `agent.message`: emits the rest of its text, or `text_replaced` if pieces differ. */
  whole(line: JsonObject, origin: JsonObject, run: RunRecorder): void;
}

/** Creates a reader. `seen` has the ids of the events that have arrived complete. */
export function createSessionText(seen: SeenIds): SessionText {
  const previews = createPreviews();

  return {
    announce(line, run) {
      const event = objectOf(line.event);
      const eventId = stringOf(event?.id);
      if (eventId === undefined) run.notify('unknown_line', line);
      else if (!seen.has(eventId)) previews.open(eventId, stringOf(event?.type));
    },
    tell(line, run) {
      const messageId = stringOf(line.event_id);
      const delta = objectOf(line.delta);
      const content = objectOf(delta?.content);
      const text = content?.type === 'text' ? stringOf(content.text) : undefined;
      if (messageId === undefined || text === undefined) {
        run.notify('unknown_delta', line);
        return;
      }
      if (text === '' || seen.has(messageId)) return;
      if (previews.typeOf(messageId) === 'agent.thinking') {
        run.notify('thinking', { thinking: text }, { messageId });
        return;
      }
      const blockIndex = numberOf(delta?.index) ?? 0;
      if (previews.tell(messageId, blockIndex, text))
        run.emit('assistant_text', { text, messageId, blockIndex });
    },
    whole(line, origin, run) {
      const preview = previews.take(stringOf(line.id) ?? '');
      const blocks = listOf(line.content) ?? [];
      for (let blockIndex = 0; blockIndex < blocks.length; blockIndex += 1) {
        const block = objectOf(blocks[blockIndex]);
        const text = block?.type === 'text' ? stringOf(block.text) : undefined;
        if (text === undefined) {
          run.notify('unknown_content', block ?? { block: blocks[blockIndex]! }, { ...origin, blockIndex });
          continue;
        }
        const rest = preview.rest(blockIndex, text);
        if (rest === null) run.notify('text_replaced', { text }, { ...origin, blockIndex });
        else if (rest !== '') run.emit('assistant_text', { text: rest, ...origin, blockIndex });
      }
      for (const blockIndex of preview.others())
        run.notify('text_replaced', { text: '' }, { ...origin, blockIndex });
    },
  };
}
