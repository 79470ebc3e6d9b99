#!/usr/bin/env node
import { StartFault } from '../lib/start-fault.ts';
import { lineOf } from '../lib/text/error-line.ts';
import { VERSION } from '../server/version.ts';
import { asksForHelp, COMMANDS, helpOf, overview } from './commands.ts';
import { tell } from './terminal/tell.ts';
import { UsageError } from './terminal/usage-error.ts';

/** Runs a command and returns the process's exit code. */
async function main([name, ...argv]: readonly string[]): Promise<number> {
  switch (name) {
    case undefined:
    case '--help':
    case '-h':
    case 'help':
      process.stdout.write(overview(VERSION));
      return 0;
    case '--version':
    case '-v':
      process.stdout.write(`${VERSION}\n`);
      return 0;
    case 'demo-runner':
      return (await import('./demo/runner.ts')).demoRunner();
    default:
      return runCommand(name, argv);
  }
}

async function runCommand(name: string, argv: readonly string[]): Promise<number> {
  const command = COMMANDS.find((known) => known.name === name);
  if (!command) throw new UsageError(`unknown command ${name}: see runfeed --help`);
  if (asksForHelp(argv)) {
    process.stdout.write(helpOf(command));
    return 0;
  }
  try {
    return await command.run(argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${error.message}: see runfeed ${name} --help`, { cause: error });
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  tell(lineOf(error));
  process.exitCode = error instanceof UsageError || error instanceof StartFault ? 2 : 1;
}
