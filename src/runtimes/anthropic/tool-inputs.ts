import type { JsonObject, JsonValue } from '../../contract/events.ts';
import { clipEnd } from '../../lib/text/clip.ts';
import { createTextPieces, type TextPieces } from '../../lib/text/pieces.ts';
import { fieldsOf } from '../json.ts';
import type { RunRecorder } from '../recorder.ts';

const MAX_OPEN = 256;
const MAX_BUFFERED = 16 * 1024 * 1024;
const MAX_SHOWN_OF_INCOMPLETE = 64 * 1024;

/** A tool call whose input is incomplete. */
export interface ToolCall {
  readonly toolId: string;
  readonly name: string;
  /** The input in the call's first line, which is valid unless pieces follow. */
  readonly input: JsonValue;
  /** Further fields of the `tool_request`. */
  readonly more: JsonObject;
}

/**
 * The tool calls of one request to the model, by block index, while their input arrives in pieces. Keeps 256
 * calls and 16 Mi characters of input; calls above these limits become `incomplete_tool_request`.
 */
export interface ToolInputs {
  open(index: number, call: ToolCall, run: RunRecorder): void;
  /** Adds a piece of the input's JSON. Returns false if no call is open at this index. */
  add(index: number, piece: string, run: RunRecorder): boolean;
  /** Completes the input. Emits a `tool_request`, or `incomplete_tool_request` if the input is not JSON. */
  close(index: number, run: RunRecorder): void;
  /** Ends all input. Open calls are incomplete and must not be recorded as requests. */
  abandon(run: RunRecorder): void;
}

/** Creates an empty set of calls. */
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
