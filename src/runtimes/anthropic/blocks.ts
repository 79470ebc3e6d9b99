import type { JsonObject, JsonValue } from '../../contract/events.ts';
import { fieldsOf, listOf, numberOf, objectOf, stringOf } from '../json.ts';
import type { RunRecorder } from '../recorder.ts';
import { fileLoads, type LoadLog } from './loads.ts';
import { isToolResult, readToolResult } from './results.ts';
import { createToolInputs } from './tool-inputs.ts';

/** Reads the content blocks of the messages in a stream, one message after another. */
export interface BlockReader {
  /** Begins a new message, with new block indexes. `content` has the complete blocks that it starts with. */
  begin(messageId: string | undefined, content: readonly JsonValue[], run: RunRecorder): void;
  /** Reads a `content_block_start`; `delta` and `stop` read the other `content_block_*` lines. */
  start(line: JsonObject, run: RunRecorder): void;
  delta(line: JsonObject, run: RunRecorder): void;
  stop(line: JsonObject, run: RunRecorder): void;
  /** Ends the message. Tool calls without a `content_block_stop` are incomplete. */
  abandon(run: RunRecorder): void;
}

const NO_INDEX = -1;

/** Creates a reader that waits for the first message. */
export function createBlockReader(loads: LoadLog): BlockReader {
  const inputs = createToolInputs();
  let messageId: string | undefined;

  const originOf = (index: number): JsonObject =>
    fieldsOf({ messageId, blockIndex: index === NO_INDEX ? undefined : index });

  const startBlock = (index: number, block: JsonObject, run: RunRecorder): void => {
    const origin = originOf(index);
    const { type, ...rest } = block;
    switch (type) {
      case 'text':
        if (block.text) readText(block.text, block, origin, run);
        for (const citation of listOf(block.citations) ?? []) readCitation(citation, block, origin, run);
        break;
      case 'thinking':
        if (block.thinking || block.signature) run.notify('thinking', rest, origin);
        break;
      case 'redacted_thinking':
        run.notify('thinking', { redacted: true }, origin);
        break;
      case 'tool_use':
      case 'server_tool_use':
      case 'mcp_tool_use':
        startTool(index, block, run);
        break;
      case 'container_upload':
        for (const load of fileLoads([block])) loads.record(load, run);
        break;
      case 'compaction':
        if (block.content || block.encrypted_content) run.notify('compaction', rest, origin);
        break;
      case 'fallback':
        run.notify('model_fallback', rest, origin);
        break;
      case 'mcp_tool_listing':
        run.notify('mcp_tool_listing', rest, origin);
        break;
      default:
        if (isToolResult(block)) readToolResult(block, origin, run);
        else run.notify('unknown_block', block, origin);
    }
  };

  const startTool = (index: number, block: JsonObject, run: RunRecorder): void => {
    const toolId = stringOf(block.id);
    const name = stringOf(block.name);
    if (toolId === undefined || name === undefined) {
      run.notify('unknown_block', block, originOf(index));
      return;
    }
    const more = fieldsOf({
      server: block.type === 'tool_use' ? undefined : true,
      mcpServer: stringOf(block.server_name),
      toolset: stringOf(block.toolset_name),
      caller: block.caller ?? undefined,
    });
    const input = block.input ?? {};
    inputs.open(index, { toolId, name, input, more: { ...more, ...originOf(index) } }, run);
  };

  const readDelta = (index: number, delta: JsonObject, line: JsonObject, run: RunRecorder): void => {
    const { type, ...rest } = delta;
    switch (type) {
      case 'text_delta':
        if (delta.text !== '') readText(delta.text, line, originOf(index), run);
        break;
      case 'input_json_delta': {
        const piece = stringOf(delta.partial_json);
        if (piece === undefined || !inputs.add(index, piece, run))
          run.notify('unknown_delta', line, originOf(index));
        break;
      }
      case 'thinking_delta':
        if (delta.thinking !== '') run.notify('thinking', rest, originOf(index));
        break;
      case 'signature_delta':
        run.notify('thinking', rest, originOf(index));
        break;
      case 'citations_delta':
        readCitation(delta.citation, line, originOf(index), run);
        break;
      case 'compaction_delta':
        run.notify('compaction', rest, originOf(index));
        break;
      default:
        run.notify('unknown_delta', line, originOf(index));
    }
  };

  return {
    begin(id, content, run) {
      inputs.abandon(run);
      messageId = id;
      for (const [index, value] of content.entries()) {
        const block = objectOf(value);
        if (block === null) run.notify('unknown_block', { block: value }, originOf(index));
        else startBlock(index, block, run);
        inputs.close(index, run);
      }
    },
    start(line, run) {
      const block = objectOf(line.content_block);
      if (block === null) run.notify('unknown_line', line);
      else startBlock(indexOf(line), block, run);
    },
    delta(line, run) {
      const delta = objectOf(line.delta);
      if (delta === null) run.notify('unknown_line', line);
      else readDelta(indexOf(line), delta, line, run);
    },
    stop: (line, run) => inputs.close(indexOf(line), run),
    abandon: inputs.abandon,
  };
}

function indexOf(line: JsonObject): number {
  return numberOf(line.index) ?? NO_INDEX;
}

function readText(
  text: JsonValue | undefined,
  whole: JsonObject,
  origin: JsonObject,
  run: RunRecorder,
): void {
  if (typeof text === 'string') run.emit('assistant_text', { text, ...origin });
  else run.notify('unknown_content', whole, origin);
}

function readCitation(
  value: JsonValue | undefined,
  whole: JsonObject,
  origin: JsonObject,
  run: RunRecorder,
): void {
  const citation = objectOf(value);
  if (citation === null) run.notify('unknown_content', whole, origin);
  else run.notify('citation', citation, origin);
}
