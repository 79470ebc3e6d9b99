import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from './usage-error.ts';

type OptionsConfig = NonNullable<ParseArgsConfig['options']>;

/** What parsing makes of these options. */
type Parsed<Options extends OptionsConfig> = ReturnType<
  typeof parseArgs<{ args: string[]; options: Options; allowPositionals: boolean; strict: true }>
>;

/** Parses a command's arguments; throws a {@link UsageError} for what it does not know. */
export function readArguments<const Options extends OptionsConfig>(
  argv: readonly string[],
  options: Options,
  allowPositionals = false,
): Parsed<Options> {
  try {
    return parseArgs({ args: withNegatives(argv), options, allowPositionals, strict: true });
  } catch (error) {
    // What Node adds after the first sentence is about arguments that begin with a dash.
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(message.split(/\.\s/, 1)[0] ?? message);
  }
}

/** `--after -1` as `--after=-1`: Node takes what begins with a dash for another option. */
function withNegatives(argv: readonly string[]): string[] {
  const args: string[] = [];
  for (const arg of argv) {
    const before = args.at(-1);
    if (/^-\d+$/.test(arg) && before?.startsWith('--') && before.length > 2 && !before.includes('=')) {
      args[args.length - 1] = `${before}=${arg}`;
    } else args.push(arg);
  }
  return args;
}

/** The run that a command is about: its one argument. */
export function onlyRun(command: string, positionals: readonly string[]): string {
  const [runId, ...more] = positionals;
  if (!runId || more.length > 0) throw new UsageError(`${command} takes one argument, the run's id`);
  return runId;
}

/** An option that is a whole number within bounds; undefined where it was not given. */
export function wholeNumber(
  name: string,
  text: string | undefined,
  least: number,
  most: number,
): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^-?\d{1,16}$/.test(text) && number >= least && number <= most) return number;
  throw new UsageError(`--${name} takes a whole number from ${least} to ${most}`);
}
