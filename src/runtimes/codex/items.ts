import type { JsonObject } from '../../contract/events.ts';
import { fieldsOf, objectOf, stringOf } from '../json.ts';
import type { RunRecorder } from '../recorder.ts';
import type { ItemPhase } from './phase.ts';
import { createRepeatWatch } from './repeats.ts';
import { readToolItem } from './tools.ts';

/** Reads the items of one run: messages, reasoning, tools and plans. */
export interface ItemReader {
  read(phase: ItemPhase, line: JsonObject, run: RunRecorder): void;
  /** Codex lost the model's answer and requests it again. */
  reconnecting(): void;
  /** A turn began or ended. */
  turnChanged(): void;
}

/** Creates a reader that has seen no items. */
export function createItemReader(): ItemReader {
  const repeats = createRepeatWatch();

  const readMessage = (item: JsonObject, text: string, run: RunRecorder): void => {
    const origin = fieldsOf({ messageId: stringOf(item.id), phase: stringOf(item.phase) });
    if (repeats.isRepeat(text)) run.notify('repeated_text', { text }, origin);
    else run.emit('assistant_text', { text, ...origin });
  };

  return {
    reconnecting: repeats.reconnecting,
    turnChanged: repeats.reset,
    read(phase, line, run) {
      const item = objectOf(line.item);
      if (item === null) {
        run.notify('unknown_line', line);
        return;
      }
      const text = stringOf(item.text);
      switch (item.type) {
        case 'agent_message':
          // The completed item has the whole text; what some versions send before is its beginning.
          if (phase !== 'completed') run.notify(`item_${phase}`, item);
          else if (text === undefined) run.notify('unknown_item', { phase, ...item });
          else readMessage(item, text, run);
          break;
        case 'reasoning':
          if (phase !== 'completed' || text === undefined) run.notify(`item_${phase}`, item);
          else run.notify('thinking', { thinking: text }, fieldsOf({ messageId: stringOf(item.id) }));
          break;
        case 'error':
          run.warn(stringOf(item.message) ?? 'Codex warned without a message', { errorType: 'warning' });
          break;
        case 'todo_list':
          run.notify('todo_list', { phase, ...fieldsOf({ id: item.id, items: item.items }) });
          break;
        default:
          if (readToolItem(phase, item, run)) repeats.reset();
          else run.notify('unknown_item', { phase, ...item });
      }
    },
  };
}
