import type { JsonObject, JsonValue } from '../../contract/events.ts';
import { fieldsOf, listOf, numberOf, objectOf, stringOf } from '../json.ts';
import type { RunRecorder } from '../recorder.ts';

/** Returns true if a block is the result of a tool that the provider ran. */
export function isToolResult(block: JsonObject): boolean {
  const type = stringOf(block.type);
  return type?.endsWith('_tool_result') === true && stringOf(block.tool_use_id) !== undefined;
}

/** Reads a `*_tool_result` block of the Messages API, which is complete in its `content_block_start`. */
export function readToolResult(block: JsonObject, origin: JsonObject, run: RunRecorder): void {
  const detail = objectOf(block.content);
  const returnCode = numberOf(detail?.return_code) ?? 0;
  const failed = stringOf(detail?.type)?.endsWith('_error') === true || returnCode !== 0;
  const files = filesOf(detail);
  answerTool(
    {
      toolId: stringOf(block.tool_use_id) ?? '',
      output: block.content ?? null,
      isError: block.is_error === true || failed,
      more: {
        ...fieldsOf({ files: files.length > 0 ? files : undefined, caller: block.caller ?? undefined }),
        ...origin,
      },
    },
    run,
  );
}

/** Returns the files that a tool wrote: the `*_output` entries in the content of its result. */
function filesOf(detail: JsonObject | null): JsonObject[] {
  return (listOf(detail?.content) ?? []).flatMap((value) => {
    const entry = objectOf(value);
    const fileId = stringOf(entry?.file_id);
    return fileId !== undefined && stringOf(entry?.type)?.endsWith('_output') ? [{ fileId }] : [];
  });
}

/** The result of a tool. */
export interface ToolAnswer {
  readonly toolId: string;
  readonly output: JsonValue;
  readonly isError: boolean;
  readonly more?: JsonObject;
}

/** Records a `tool_response`, with the name from the tool's request if that is known. */
export function answerTool({ toolId, output, isError, more }: ToolAnswer, run: RunRecorder): void {
  const tool = run.tools.answered(toolId);
  run.emit('tool_response', { toolId, ...fieldsOf({ name: tool?.name }), output, isError, ...more });
}
