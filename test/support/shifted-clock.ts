const DAY_MS = 24 * 60 * 60 * 1000;

/** Returns the environment of a Node process whose wall clock is that many days ahead, or behind if negative. */
export function shiftedClock(days: number): Record<string, string> {
  const script = `const RealDate = Date;
    const now = () => RealDate.now() + ${days * DAY_MS};
    globalThis.Date = class extends RealDate {
      constructor(...parts) { parts.length > 0 ? super(...parts) : super(now()); }
      static now() { return now(); }
    };`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` };
}
