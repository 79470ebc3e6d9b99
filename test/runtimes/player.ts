import type { RunnerEvent } from '../../src/contract/events.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions, RuntimeExit } from '../../src/runtimes/adapter.ts';

export type Fields = Readonly<Record<string, unknown>>;
export type Lines = readonly (Fields | string)[];

/** Plays lines through one kind of adapter, with a clock that stands at 1,000. */
export interface Player {
  /** All events of a run that prints these lines. */
  runOf(lines: Lines, exit?: RuntimeExit, options?: RuntimeAdapterOptions): RunnerEvent[];
  /** What the lines became between the start and the terminal, as `[kind, data]`. */
  middleOf(lines: Lines): unknown[];
  /** The terminal's data. */
  terminalOf(lines: Lines, exit?: RuntimeExit): RunnerEvent['data'] | undefined;
  /** The terminal's outcome and reason. */
  endOf(lines: Lines, exit?: RuntimeExit): unknown[];
}

/** The bytes of lines; strings are taken as they are. */
export function bytesOf(lines: Lines): Uint8Array {
  const text = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
  return new TextEncoder().encode(text);
}

/** A player for the adapters that this function makes. */
export function playerOf(create: (options: RuntimeAdapterOptions) => RuntimeAdapter): Player {
  const player: Player = {
    runOf(lines, exit, options = {}) {
      const adapter = create({ now: () => 1000, ...options });
      return [...adapter.push(bytesOf(lines)), ...adapter.end(exit)];
    },
    middleOf: (lines) =>
      player
        .runOf(lines)
        .slice(1, -1)
        .map(({ kind, data }) => [kind, data]),
    terminalOf: (lines, exit) => player.runOf(lines, exit).at(-1)?.data,
    endOf(lines, exit) {
      const data = player.terminalOf(lines, exit);
      return [data?.outcome, data?.reason];
    },
  };
  return player;
}
