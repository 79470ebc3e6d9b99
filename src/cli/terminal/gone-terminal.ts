import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';

/**
 * Lets this process exit with its own code after its terminal is gone. Node restores the settings of the terminals
 * among descriptors 0 to 2 when it exits, and aborts if that fails.
 */
export function surviveGoneTerminal(): void {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  process.on('exit', () => {
    for (const fd of terminals.filter((each) => !isatty(each))) {
      closeSync(fd);
      // Takes the lowest free number, which is the one just closed. Node leaves alone what it did not open.
      openSync('/dev/null', 'r+');
    }
  });
}
