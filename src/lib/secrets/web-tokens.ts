/** The range of a JSON Web Token in a text. `to` is excluded. */
export interface WebTokenRange {
  readonly from: number;
  readonly to: number;
}

const SEGMENT = /[\w-]+/y;
const REST = /\.[\w-]+\.[\w-]*/y;
const INSIDE_WORD = /\w/;

/**
 * Finds the JSON Web Tokens in a text that start with these characters at the beginning of a word. Takes
 * linear time: a regular expression would scan the rest of a long word again from each `beginning` in it.
 */
export function webTokensIn(text: string, beginning: string): readonly WebTokenRange[] {
  const ranges: WebTokenRange[] = [];
  let from = text.indexOf(beginning);
  while (from !== -1) {
    let next = from + beginning.length;
    if (from === 0 || !INSIDE_WORD.test(text[from - 1]!)) {
      SEGMENT.lastIndex = from;
      SEGMENT.test(text);
      next = SEGMENT.lastIndex;
      REST.lastIndex = next;
      if (REST.test(text)) {
        next = REST.lastIndex;
        ranges.push({ from, to: next });
      }
    }
    from = text.indexOf(beginning, next);
  }
  return ranges;
}
