import type { JsonObject, JsonValue } from '../../contract/events.ts';
import { fieldsOf, listOf, objectOf, stringOf } from '../json.ts';
import type { RunRecorder } from '../recorder.ts';
import type { PartialMessages } from './partials.ts';

const SKILL_TOOL = 'Skill';
const QUESTION_TOOL = 'AskUserQuestion';
const MAX_SKILL_NAME = 512;

/** The message that contains a block. */
export interface BlockContext {
  /** The id of the tool call that started the speaking subagent; '' for the main agent. */
  readonly parent: string;
  readonly messageId: string | undefined;
  /** The known fields of `{messageId, parentToolId, …}`, which every event of the message carries. */
  readonly origin: JsonObject;
}

/** Reads a complete `text` block of the assistant, and emits the part that was not streamed. */
export function readText(
  block: JsonObject,
  { parent, messageId, origin }: BlockContext,
  partials: PartialMessages,
  run: RunRecorder,
): void {
  const text = stringOf(block.text);
  if (text === undefined) {
    run.notify('unknown_block', block, origin);
    return;
  }
  const whole = partials.match(parent, messageId, 'text', text);
  switch (whole.state) {
    case 'unseen':
      run.emit('assistant_text', { text, ...origin });
      break;
    case 'streamed':
      if (whole.rest !== '') run.emit('assistant_text', { text: whole.rest, ...origin });
      break;
    case 'replaced':
      run.notify('text_replaced', { text }, origin);
  }
  for (const citation of listOf(block.citations) ?? [])
    run.notify('citation', objectOf(citation) ?? { citation }, origin);
}

/** Reads a complete thinking block and emits what was not streamed. Redacted content is only mentioned. */
export function readThinking(
  block: JsonObject,
  { parent, messageId, origin }: BlockContext,
  partials: PartialMessages,
  run: RunRecorder,
): void {
  if (block.type === 'redacted_thinking') {
    run.notify('thinking', { redacted: true }, origin);
    return;
  }
  const thinking = stringOf(block.thinking) ?? '';
  const signature = stringOf(block.signature) || undefined;
  const whole = partials.match(parent, messageId, 'thinking', thinking);
  switch (whole.state) {
    case 'unseen':
      run.notify('thinking', fieldsOf({ thinking, signature }), origin);
      break;
    case 'streamed':
      if (whole.rest !== '' || signature !== undefined)
        run.notify('thinking', fieldsOf({ thinking: whole.rest, signature }), origin);
      break;
    case 'replaced':
      run.notify('thinking_replaced', fieldsOf({ thinking, signature }), origin);
  }
}

/** Reads a tool call, whether the CLI, Anthropic's servers or an MCP server runs the tool. */
export function readToolUse(block: JsonObject, { origin }: BlockContext, run: RunRecorder): void {
  const toolId = stringOf(block.id);
  const name = stringOf(block.name);
  if (toolId === undefined || name === undefined) {
    run.notify('invalid_tool_request', block, origin);
    return;
  }
  const skill = name === SKILL_TOOL ? stringOf(objectOf(block.input)?.skill) : undefined;
  run.tools.opened(toolId, {
    name,
    note: skill !== undefined && skill.length <= MAX_SKILL_NAME ? skill : undefined,
  });
  run.emit('tool_request', {
    toolId,
    name,
    input: block.input ?? {},
    ...fieldsOf({
      server: block.type === 'tool_use' ? undefined : true,
      mcpServer: stringOf(block.server_name),
      caller: block.caller ?? undefined,
    }),
    ...origin,
  });
  if (name === QUESTION_TOOL) run.notify('waiting', { toolId, name }, origin);
}

/** Reads a tool's result, which may imply `skill_loaded`. `structured` is the CLI's form of the result. */
export function readToolResult(
  block: JsonObject,
  structured: JsonValue | undefined,
  { origin }: BlockContext,
  run: RunRecorder,
): void {
  const toolId = stringOf(block.tool_use_id);
  if (toolId === undefined) {
    run.notify('unknown_block', block, origin);
    return;
  }
  const tool = run.tools.answered(toolId);
  const isError = isErrorResult(block);
  const files = filesOf(block);
  run.emit('tool_response', {
    toolId,
    ...fieldsOf({ name: tool?.name }),
    output: block.content ?? null,
    ...fieldsOf({ structured: structured ?? undefined, files: files.length > 0 ? files : undefined }),
    isError,
    ...origin,
  });
  if (tool?.note !== undefined && !isError) run.emit('skill_loaded', { skill: tool.note, toolId, ...origin });
}

function isErrorResult(block: JsonObject): boolean {
  const content = objectOf(block.content);
  const failed = typeof content?.return_code === 'number' && content.return_code !== 0;
  return block.is_error === true || failed || (stringOf(content?.type) ?? '').endsWith('_error');
}

/** Returns the files that code on Anthropic's servers wrote: the `*_output` entries of its result. */
function filesOf(block: JsonObject): JsonObject[] {
  return (listOf(objectOf(block.content)?.content) ?? []).flatMap((value) => {
    const entry = objectOf(value);
    const fileId = stringOf(entry?.file_id);
    return fileId !== undefined && stringOf(entry?.type)?.endsWith('_output') ? [{ fileId }] : [];
  });
}

/** Reads a file, image or document: `file_uploaded` if it has a file id, else a description of it. */
export function readMedia(role: string, block: JsonObject, { origin }: BlockContext, run: RunRecorder): void {
  const { source: _, ...description } = block;
  const source = objectOf(block.source);
  const fileId = stringOf(block.file_id) ?? stringOf(source?.file_id);
  if (fileId !== undefined) {
    run.emit('file_uploaded', { fileId, ...fieldsOf({ name: stringOf(block.title) }), ...origin });
    return;
  }
  const { data, ...place } = source ?? {};
  const base64Length = stringOf(data)?.length ?? 0;
  run.notify(stringOf(block.type) ?? 'media', { role, ...description, source: place, base64Length }, origin);
}
