import type { JsonObject, JsonValue } from '../../contract/events.ts';
import { fieldsOf, listOf, objectOf, stringOf } from '../json.ts';
import type { RunRecorder } from '../recorder.ts';

/** The message that contains an item. */
export interface MessageContext {
  readonly role: 'assistant' | 'user' | 'other';
  /** `{messageId}`, or `{}` if Goose omitted the id. */
  readonly origin: JsonObject;
  /** False if the message's metadata hides it from the user. */
  readonly visible: boolean;
}

const SKILL_EXTENSIONS = new Map([
  ['load_skill', 'skills'],
  ['load', 'summon'],
]);
const SKILL_LOADED_START = '# Loaded Skill: ';

/** Returns the extension whose skill loader this tool is; undefined for every other tool. */
function skillSource(name: string, extension: string | undefined): string | undefined {
  const parts = name.split('__');
  const source = SKILL_EXTENSIONS.get(parts.at(-1) ?? '');
  // `load` is too common a name to identify without its extension; only Goose has `load_skill`.
  const owner = parts.length > 1 ? parts[0] : extension;
  return source !== undefined && (owner === source || (owner === undefined && source === 'skills'))
    ? source
    : undefined;
}

function isShown(item: JsonObject, message: MessageContext): boolean {
  const audience = listOf(objectOf(item.annotations)?.audience);
  return message.visible && (audience === null || audience.length === 0 || audience.includes('user'));
}

/** Reads a `text` item. Returns the text if the assistant says it to the user, else null. */
export function readText(item: JsonObject, message: MessageContext, run: RunRecorder): string | null {
  const { origin, role } = message;
  const text = stringOf(item.text);
  const shown = isShown(item, message);
  if (text !== undefined && shown && role === 'assistant') {
    run.emit('assistant_text', { text, ...origin });
    return text;
  }
  if (text === undefined) run.notify('unknown_content', item, origin);
  else run.notify(shown ? `${role}_text` : 'hidden_text', { role, text }, origin);
  return null;
}

/** Reads a `toolRequest` item. */
export function readToolRequest(item: JsonObject, { origin }: MessageContext, run: RunRecorder): void {
  const toolId = stringOf(item.id);
  const call = objectOf(item.toolCall);
  const value = objectOf(call?.value);
  const name = stringOf(value?.name);
  if (toolId === undefined || call?.status !== 'success' || name === undefined) {
    const error = stringOf(call?.error) ?? 'A tool call could not be read';
    run.notify('invalid_tool_request', fieldsOf({ toolId, toolCall: item.toolCall }), origin);
    run.warn(error, fieldsOf({ errorType: 'invalid_tool_request', toolId }));
    return;
  }
  const { goose_extension: extension, ...meta } = objectOf(item._meta) ?? {};
  run.tools.opened(toolId, {
    name,
    note: skillSource(name, stringOf(extension)),
  });
  run.emit('tool_request', {
    toolId,
    name,
    input: value?.arguments ?? {},
    ...fieldsOf({
      extension: stringOf(extension),
      metadata: item.metadata ?? undefined,
      meta: Object.keys(meta).length > 0 ? meta : undefined,
    }),
    ...origin,
  });
}

/** Returns the name of the skill that a loader's answer reports as loaded. */
function loadedSkill(output: JsonValue): string | undefined {
  const first = objectOf(listOf(output)?.[0]);
  const text = stringOf(first?.text);
  if (text === undefined || !text.startsWith(SKILL_LOADED_START)) return undefined;
  const lineEnd = text.indexOf('\n');
  const title = text.slice(SKILL_LOADED_START.length, lineEnd === -1 ? undefined : lineEnd).trim();
  // The title ends with the kind of source in brackets: "release-notes (skill)".
  return title.replace(/ \([^()]*\)$/, '');
}

/** Reads a `toolResponse` item, which may imply a `skill_loaded`. */
export function readToolResponse(item: JsonObject, { origin }: MessageContext, run: RunRecorder): void {
  const toolId = stringOf(item.id);
  const result = objectOf(item.toolResult);
  if (toolId === undefined || result === null) {
    run.notify('unknown_content', item, origin);
    return;
  }
  const tool = run.tools.answered(toolId);
  const value = result.value;
  const detail = objectOf(value);
  const isError = result.status !== 'success' || detail?.isError === true;
  // Sessions of older versions have the content itself, newer ones wrap it in an object.
  const output = result.error ?? detail?.content ?? value ?? null;
  run.emit('tool_response', {
    toolId,
    ...fieldsOf({ name: tool?.name }),
    output,
    ...fieldsOf({ structured: detail?.structuredContent ?? undefined }),
    isError,
    ...origin,
  });
  const skill = tool?.note === undefined || isError ? undefined : loadedSkill(output);
  if (skill)
    run.emit('skill_loaded', {
      skill,
      ...fieldsOf({ source: tool?.note }),
      toolId,
    });
}

/** Reads a `thinking` or `redactedThinking` item. Redacted content is only mentioned. */
export function readThinking(item: JsonObject, { origin }: MessageContext, run: RunRecorder): void {
  const payload =
    item.type === 'redactedThinking'
      ? { redacted: true }
      : fieldsOf({
          thinking: item.thinking,
          signature: item.signature || undefined,
        });
  run.notify('thinking', payload, origin);
}

/** Reads a `systemNotification` item: a `stream_error` for exhausted credits, otherwise a notification. */
export function readSystemNotification(item: JsonObject, { origin }: MessageContext, run: RunRecorder): void {
  const { type: _, ...payload } = item;
  if (item.notificationType === 'creditsExhausted') {
    const details = fieldsOf({
      errorType: 'credits_exhausted',
      details: item.data ?? undefined,
    });
    run.warn(stringOf(item.msg) ?? 'Credits exhausted', {
      ...details,
      ...origin,
    });
  } else {
    run.notify('system_notification', payload, origin);
  }
}

/** Reads an `image` or `document` item: its description, and the length of its base64 data. */
export function readMedia(
  event: string,
  item: JsonObject,
  { origin, role }: MessageContext,
  run: RunRecorder,
): void {
  const { type: _, data, ...description } = item;
  run.notify(event, { role, ...description, base64Length: stringOf(data)?.length ?? 0 }, origin);
}
