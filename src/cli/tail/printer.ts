import type { StreamedEvent, StreamGap } from '../../client/stream/feed.ts';
import type { JsonObject, JsonValue } from '../../contract/events.ts';
import { harmless, preview } from '../terminal/harmless.ts';
import type { Look, Paint } from './style.ts';

/** Formats a run's events as terminal output. */
export interface Printer {
  /** The text to print for the next event. Empty for events that are of no interest to a person. */
  event(event: StreamedEvent): string;
  /** The line that says which events retention removed. */
  gap(gap: StreamGap): string;
  /** A line feed if streamed text has left a line unfinished, else empty. */
  end(): string;
}

const WIDTH = 100;
/** The most unanswered calls to remember. Beyond this, the oldest call is printed without its duration. */
const MAX_OPEN_CALLS = 1_000;

/** Creates a printer whose output begins on a new line. */
export function createPrinter(paint: Paint): Printer {
  let flowing: 'text' | 'thinking' | null = null;
  let startedAt: number | null = null;
  const openCalls = new Map<string, number>();

  function end(): string {
    const rest = flowing ? '\n' : '';
    flowing = null;
    return rest;
  }

  function flow(into: 'text' | 'thinking', text: string): string {
    if (text === '') return '';
    const before = flowing === into ? '' : end();
    const clean = harmless(text);
    flowing = into;
    return before + (into === 'thinking' ? paint('dim', clean) : clean);
  }

  const line = (mark: string, look: Look, head: string, rest = ''): string =>
    `${end()}${paint(look, `${mark} ${head}`)}${rest && ` ${rest}`}\n`;

  function request({ tMs, data }: StreamedEvent): string {
    if (typeof data.toolId === 'string') openCalls.set(data.toolId, tMs);
    const [oldest] = openCalls.keys();
    if (openCalls.size > MAX_OPEN_CALLS && oldest !== undefined) openCalls.delete(oldest);
    return line('▶', 'cyan', textOf(data.name) || 'tool', preview(inputOf(data.input), WIDTH));
  }

  function response({ tMs, data }: StreamedEvent): string {
    const asked = typeof data.toolId === 'string' ? openCalls.get(data.toolId) : undefined;
    openCalls.delete(textOf(data.toolId));
    const took = asked === undefined ? '' : ` ${seconds(tMs - asked)}`;
    const head = `${textOf(data.name) || 'tool'}${took}`;
    const result = preview(outputOf(data.output), WIDTH);
    return data.isError === true ? line('✗', 'red', head, result) : line('◀', 'green', head, result);
  }

  function notification(data: JsonObject): string {
    const payload = data.payload;
    if (data.event === 'thinking') return flow('thinking', textOf(fieldOf(payload, 'thinking')));
    if (data.event === 'resource_stats') return '';
    return line(
      '·',
      'dim',
      textOf(data.event) || 'note',
      paint('dim', preview(textOf(fieldOf(payload, 'message')) || inputOf(payload), WIDTH)),
    );
  }

  function terminal({ tMs, data }: StreamedEvent): string {
    const outcome = textOf(data.outcome) || 'ended';
    const took = startedAt === null ? '' : seconds(tMs - startedAt);
    const cost = typeof data.costUsd === 'number' ? `$${data.costUsd}` : '';
    const errors = Array.isArray(data.errors) ? textOf(data.errors.at(-1)) : textOf(data.message);
    const exit = typeof data.exitCode === 'number' ? `exit code ${data.exitCode}` : '';
    const reason = textOf(data.reason);
    const last = lastLine(textOf(data.stderrTail));
    const facts = [reason === 'exit_code' && exit ? exit : reason, took, cost, preview(errors || last, WIDTH)]
      .filter(Boolean)
      .join(', ');
    return outcome === 'completed' ? line('■', 'green', outcome, facts) : line('■', 'red', outcome, facts);
  }

  return {
    event: (event) => {
      const { kind, data, tMs } = event;
      startedAt ??= tMs;
      switch (kind) {
        case 'assistant_text':
          return flow('text', textOf(data.text));
        case 'runtime_started':
          return line(
            '●',
            'bold',
            'started',
            [data.runtime, data.model].map(textOf).filter(Boolean).join(' '),
          );
        case 'tool_request':
          return request(event);
        case 'tool_response':
          return response(event);
        case 'skill_loaded':
          return line('+', 'cyan', 'skill', preview(textOf(data.skill), WIDTH));
        case 'file_uploaded':
          return line('+', 'cyan', 'file', preview(textOf(data.name ?? data.path ?? data.fileId), WIDTH));
        case 'notification':
          return notification(data);
        case 'stream_error':
          return line('!', 'yellow', preview(textOf(data.message), 3 * WIDTH));
        case 'runtime_terminal':
          return terminal(event);
        // A newer server may have more kinds.
        default:
          return '';
      }
    },
    gap: ({ fromSeq, toSeq }) => line('…', 'yellow', `events ${fromSeq} to ${toSeq} were removed`),
    end,
  };
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)}s`;
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? harmless(value) : '';
}

function fieldOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)[name]
    : undefined;
}

/** Shows an input with a single text field as that text, and any other as JSON. */
function inputOf(input: JsonValue | undefined): string {
  if (typeof input === 'string') return input;
  if (typeof input !== 'object' || input === null) return String(input ?? '');
  const values = Object.values(input);
  return values.length === 1 && typeof values[0] === 'string' ? values[0] : JSON.stringify(input);
}

/** Shows a result of content blocks as their texts, and any other result like an input. */
function outputOf(output: JsonValue | undefined): string {
  if (!Array.isArray(output)) return inputOf(output);
  const texts = output.map((block) => textOf(fieldOf(block, 'text'))).filter(Boolean);
  return texts.length > 0 ? texts.join(' ') : JSON.stringify(output);
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}
