import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A place where no secret may be readable, and all of its content. */
export interface Place {
  readonly name: string;
  readonly content: string | Buffer;
}

/** Returns a line for each secret and place, with how the secret is written there. */
export function leaksOf(secrets: Readonly<Record<string, string>>, places: readonly Place[]): string[] {
  return places.flatMap(({ name, content }) => {
    const text = Buffer.from(content).toString('latin1');
    return Object.entries(secrets).flatMap(([secret, value]) =>
      Object.entries(formsOf(value))
        .filter(([, form]) => text.includes(form))
        .map(([how]) => `${secret} ${how} in ${name}`),
    );
  });
}

/** Returns every file in a folder and below whose path passes. */
export function filesIn(folder: string, passes: (path: string) => boolean): Place[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter(passes)
    .map((path) => ({ name: path.slice(folder.length), content: readFileSync(path) }));
}

/** Returns each readable way to write a value, as the bytes of a file. */
function formsOf(value: string): Record<string, string> {
  const bytes = Buffer.from(value);
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].flatMap((offset) => {
    const text = base64At(bytes, offset);
    return [
      [`in base64 at ${offset}`, text],
      [`in base64url at ${offset}`, text.replaceAll('+', '-').replaceAll('/', '_')],
    ];
  });
  const forms: [string, string][] = [
    ['in plain text', value],
    ['in JSON', JSON.stringify(value).slice(1, -1)],
    ['in JSON in JSON', JSON.stringify(JSON.stringify(value).slice(1, -1)).slice(1, -1)],
    ['in a URL', encodeURIComponent(value)],
    ['in hex', hex],
    ['in uppercase hex', hex.toUpperCase()],
    ...(base64 as [string, string][]),
  ];
  return Object.fromEntries(forms.map(([how, form]) => [how, Buffer.from(form).toString('latin1')]));
}

/**
 * Returns the base64 characters that depend on the value alone, if it begins `offset` bytes after a multiple
 * of three.
 */
function base64At(bytes: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
}
