import type { JsonObject, JsonValue, RunnerEvent } from '../contract/events.ts';

/** How much a view keeps. */
export interface RunViewOptions {
  /** Of the text its end, at least so many characters; by default 1 Mi. */
  readonly maxText?: number;
  /** Of the tool calls the newest; by default 1,000. */
  readonly maxToolCalls?: number;
}

/** A call that the model made. */
export interface ToolCall {
  readonly toolId: string;
  /** Empty when its request is not among the events. */
  readonly name: string;
  /** The data of its `tool_request`; null when that is not among the events. */
  readonly request: JsonObject | null;
  /** The data of its `tool_response`; null while there is none. */
  readonly response: JsonObject | null;
}

/** What a run has come to. */
export interface RunView {
  /** Takes the next event; one that it has seen already changes nothing. Answers the view itself. */
  apply(event: RunnerEvent): RunView;
  /** What the model has said so far; its end where it is longer than is kept. */
  text(): string;
  /** Each with its answer, oldest first. */
  toolCalls(): readonly ToolCall[];
  /** The event that ended the run; null while it goes on. */
  terminal(): RunnerEvent | null;
  /** Number of the last event taken; -1 before the first. */
  lastSeq(): number;
}

/** A view of a run that has not begun. It holds no more than it is told to, however long the run. */
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

/** A text in pieces of which the end is kept: whole pieces that together are just longer than the limit. */
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
      // Now and then only: moving them for every one dropped would be slow.
      if (dropped <= pieces.length / 2) return;
      pieces = pieces.slice(dropped);
      dropped = 0;
    },
    text: () => pieces.join(''),
  };
}
