#!/usr/bin/env node
import { StartFault } from '../lib/start-fault.ts';
import { lineOf } from '../lib/text/error-line.ts';
import { VERSION } from '../server/version.ts';
import { asksForHelp, COMMANDS, helpOf, overview } from './commands.ts';
import { surviveGoneTerminal } from './terminal/gone-terminal.ts';
import { print } from './terminal/output.ts';
import { tell } from './terminal/tell.ts';
import { UsageError } from './terminal/usage-error.ts';

/** Runs a command and returns the process's exit code. */
async function main([name, ...argv]: readonly string[]): Promise<number> {
  switch (name) {
    case undefined:
    case '--help':
    case '-h':
    case 'help':
      await print(overview(VERSION));
      return 0;
    case '--version':
    case '-v':
      await print(`${VERSION}\n`);
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
    await print(helpOf(command));
    return 0;
  }
  try {
    return await command.run(argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${error.message}: see runfeed ${name} --help`, { cause: error });
  }
}

surviveGoneTerminal();
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  tell(lineOf(error));
  process.exitCode = error instanceof UsageError || error instanceof StartFault ? 2 : 1;
}
