import type { JsonObject, JsonValue, RunnerEvent } from '../../contract/events.ts';

/** How much a view keeps, whatever the run's length. */
export interface RunViewOptions {
  /** The view keeps at least this many characters of the text's end. Defaults to 1 Mi. */
  readonly maxText?: number;
  /** The view keeps this many of the newest tool calls. Defaults to 1,000. */
  readonly maxToolCalls?: number;
}

/** A tool call of the model. */
export interface ToolCall {
  readonly toolId: string;
  /** Empty if neither the request nor the response has a name. */
  readonly name: string;
  /** The data of the `tool_request`. Null if the view has not received it. */
  readonly request: JsonObject | null;
  /** The data of the `tool_response`. Null until it arrives. */
  readonly response: JsonObject | null;
}

/** The state of a run, folded from its events. */
export interface RunView {
  /** Applies the next event and returns the view itself. An event that was applied before changes nothing. */
  apply(event: RunnerEvent): RunView;
  /** The model's text so far, or its end if it is longer than `maxText`. */
  text(): string;
  /** The tool calls with their answers, oldest first. */
  toolCalls(): readonly ToolCall[];
  /** The event that ended the run. Null while the run continues. */
  terminal(): RunnerEvent | null;
  /** The number of the last applied event; -1 before the first. */
  lastSeq(): number;
}

/** Creates a view of a run that has not begun. */
export function createRunView({ maxText = 1024 * 1024, maxToolCalls = 1_000 }: RunViewOptions = {}): RunView {
  const pieces = createPieces(maxText);
  const calls = new Map<string, ToolCall>();
  let terminal: RunnerEvent | null = null;
  let lastSeq = -1;

  function note(toolId: JsonValue | undefined, change: (call: ToolCall) => ToolCall): void {
    if (typeof toolId !== 'string') return;
    const known = calls.get(toolId) ?? { toolId, name: '', request: null, response: null };
    calls.set(toolId, change(known));
    const [oldest] = calls.keys();
    if (calls.size > maxToolCalls && oldest !== undefined) calls.delete(oldest);
  }

  const view: RunView = {
    apply: (event) => {
      const { seq, kind, data } = event;
      if (seq <= lastSeq) return view;
      lastSeq = seq;
      const name = typeof data.name === 'string' ? data.name : '';
      if (kind === 'assistant_text' && typeof data.text === 'string') pieces.add(data.text);
      if (kind === 'tool_request') note(data.toolId, (call) => ({ ...call, name, request: data }));
      if (kind === 'tool_response')
        note(data.toolId, (call) => ({ ...call, name: call.name || name, response: data }));
      if (kind === 'runtime_terminal') terminal = event;
      return view;
    },
    text: pieces.text,
    toolCalls: () => [...calls.values()],
    terminal: () => terminal,
    lastSeq: () => lastSeq,
  };
  return view;
}

/** Keeps the end of a text in pieces: the fewest last pieces that together reach the limit. */
function createPieces(limit: number): { add(piece: string): void; text(): string } {
  let pieces: string[] = [];
  let dropped = 0;
  let length = 0;
  return {
    add: (piece) => {
      if (piece === '') return;
      pieces.push(piece);
      length += piece.length;
      for (let oldest = pieces[dropped]!; length - oldest.length >= limit; oldest = pieces[dropped]!) {
        length -= oldest.length;
        pieces[dropped] = '';
        dropped += 1;
      }
      // Done rarely: moving the pieces for every dropped one would be slow.
      if (dropped <= pieces.length / 2) return;
      pieces = pieces.slice(dropped);
      dropped = 0;
    },
    text: () => pieces.join(''),
  };
}
