/** Says something on standard error, as one line of its own. */
export function tell(text: string): void {
  process.stderr.write(`runfeed: ${text}\n`);
}
