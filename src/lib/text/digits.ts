/** By byte: its value as a digit of base64 or base64url. -1: it is none. */
export const BASE64 = valuesOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', '-_');
/** By byte: its value as a digit of hex, in either case. -1: it is none. */
export const HEX = valuesOf('0123456789abcdef', 'ABCDEF');

/** Returns the number that these digits of hex write, or -1 if others, or the end, are among them. */
export function hexAt(bytes: Uint8Array, from: number, digits: number, stop: number): number {
  if (from + digits > stop) return -1;
  let code = 0;
  for (let place = from; place < from + digits; place += 1) {
    const value = HEX[bytes[place]!]!;
    if (value < 0) return -1;
    code = (code << 4) | value;
  }
  return code;
}

/** The `alternatives` write the last digits of the alphabet in another way. */
function valuesOf(alphabet: string, alternatives: string): Int8Array {
  const values = new Int8Array(256).fill(-1);
  for (const [value, character] of [...alphabet].entries()) values[character.charCodeAt(0)] = value;
  for (const [index, character] of [...alternatives].entries())
    values[character.charCodeAt(0)] = alphabet.length - alternatives.length + index;
  return values;
}
