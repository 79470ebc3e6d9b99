import type { JsonObject, JsonValue } from '../contract/events.ts';
import { clipEnd } from '../lib/clip.ts';
import { createTextPieces, type TextPieces } from '../lib/pieces.ts';
import { fieldsOf } from './json.ts';
import type { RunRecorder } from './recorder.ts';

const MAX_OPEN = 256;
const MAX_BUFFERED = 16 * 1024 * 1024;
const MAX_SHOWN_OF_INCOMPLETE = 64 * 1024;

/** A tool call whose input is still coming. */
export interface ToolCall {
  readonly toolId: string;
  readonly name: string;
  /** The input that the call's first line has; it holds unless more of it comes. */
  readonly input: JsonValue;
  /** What else the `tool_request` is to carry. */
  readonly more: JsonObject;
}

/**
 * The tool calls of one request to the model, by the index of their block, while their input comes in pieces. Keeps
 * 256 calls and 16 Mi characters of input; a call beyond becomes `incomplete_tool_request`.
 */
export interface ToolInputs {
  open(index: number, call: ToolCall, run: RunRecorder): void;
  /** A piece of the input's JSON; false if no call is open at this index. */
  add(index: number, piece: string, run: RunRecorder): boolean;
  /** The input is whole: a `tool_request`, unless it is no JSON. */
  close(index: number, run: RunRecorder): void;
  /** No more input comes. Calls that are still open were not completed, and nobody shall take them for requests. */
  abandon(run: RunRecorder): void;
}

/** No open calls. */
export function createToolInputs(): ToolInputs {
  const calls = new Map<number, { readonly call: ToolCall; readonly json: TextPieces }>();
  let buffered = 0;

  const giveUp = (index: number, run: RunRecorder): void => {
    const open = calls.get(index);
    if (open === undefined) return;
    forget(index, open.json);
    reportIncomplete(open.call, open.json.text(), run);
  };

  const forget = (index: number, json: TextPieces): void => {
    buffered -= json.length();
    calls.delete(index);
  };

  return {
    open(index, call, run) {
      giveUp(index, run);
      if (calls.size < MAX_OPEN) calls.set(index, { call, json: createTextPieces() });
      else reportIncomplete(call, '', run);
    },
    add(index, piece, run) {
      const open = calls.get(index);
      if (open === undefined) return false;
      open.json.add(piece);
      buffered += piece.length;
      if (buffered > MAX_BUFFERED) giveUp(index, run);
      return true;
    },
    close(index, run) {
      const open = calls.get(index);
      if (open === undefined) return;
      const { call, json } = open;
      forget(index, json);
      const text = json.text();
      const parsed = text === '' ? { value: call.input } : parseJson(text);
      if (parsed === null) {
        reportIncomplete(call, text, run);
        return;
      }
      const { toolId, name, more } = call;
      run.tools.opened(toolId, { name });
      run.emit('tool_request', { toolId, name, input: parsed.value, ...more });
    },
    abandon(run) {
      for (const index of [...calls.keys()]) giveUp(index, run);
    },
  };
}

function parseJson(text: string): { readonly value: JsonValue } | null {
  try {
    const value: unknown = JSON.parse(text);
    return { value: value as JsonValue };
  } catch {
    return null;
  }
}

function reportIncomplete({ toolId, name, more }: ToolCall, text: string, run: RunRecorder): void {
  const inputText = clipEnd(text, MAX_SHOWN_OF_INCOMPLETE);
  const inputLength = inputText.length < text.length ? text.length : undefined;
  run.notify('incomplete_tool_request', { toolId, name, inputText, ...fieldsOf({ inputLength }) }, more);
}
