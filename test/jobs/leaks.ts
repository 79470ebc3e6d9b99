import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A place where a secret may not be read, and everything that is there. */
export interface Place {
  readonly name: string;
  readonly content: string | Buffer;
}

/** What stands where: a line for each secret and place, with how it is written there. */
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

/** Every file in a folder and below, of those whose path passes. */
export function filesIn(folder: string, passes: (path: string) => boolean): Place[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter(passes)
    .map((path) => ({ name: path.slice(folder.length), content: readFileSync(path) }));
}

/** Each way to write a value that somebody else would understand, as the bytes of a file. */
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
    ['in the clear', value],
    ['in JSON', JSON.stringify(value).slice(1, -1)],
    ['in JSON in JSON', JSON.stringify(JSON.stringify(value).slice(1, -1)).slice(1, -1)],
    ['in a URL', encodeURIComponent(value)],
    ['in hex', hex],
    ['in capital hex', hex.toUpperCase()],
    ...(base64 as [string, string][]),
  ];
  return Object.fromEntries(forms.map(([how, form]) => [how, Buffer.from(form).toString('latin1')]));
}

/** The characters that no neighbour has a part in, with the value so many bytes behind a multiple of three. */
function base64At(bytes: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
}
