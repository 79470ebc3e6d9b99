import type { RunnerEvent } from '../../src/contract/events.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions, RuntimeExit } from '../../src/runtimes/adapter.ts';

export type Fields = Readonly<Record<string, unknown>>;
export type Lines = readonly (Fields | string)[];

/** Plays lines through one kind of adapter, with the clock fixed at 1,000. */
export interface Player {
  /** Returns all events of a run that prints these lines. */
  runOf(lines: Lines, exit?: RuntimeExit, options?: RuntimeAdapterOptions): RunnerEvent[];
  /** Returns the events between the start and the terminal, as `[kind, data]`. */
  middleOf(lines: Lines): unknown[];
  /** Returns the data of the terminal. */
  terminalOf(lines: Lines, exit?: RuntimeExit): RunnerEvent['data'] | undefined;
  /** Returns the outcome and reason of the terminal. */
  endOf(lines: Lines, exit?: RuntimeExit): unknown[];
}

/** Returns the bytes of lines; strings stay unchanged. */
export function bytesOf(lines: Lines): Uint8Array {
  const text = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
  return new TextEncoder().encode(text);
}

/** Creates a player for the adapters that this function creates. */
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
