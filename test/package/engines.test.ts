import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PACKAGE_FOLDER } from '../support/runfeed-process.ts';

interface Manifest {
  readonly version: string;
  readonly engines?: { readonly node?: string };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly hasInstallScript?: boolean;
  readonly optional?: boolean;
}

const { satisfies } = createRequire(import.meta.url)('semver') as {
  satisfies(version: string, range: string): boolean;
};
const read = (name: string): unknown => JSON.parse(readFileSync(join(PACKAGE_FOLDER, name), 'utf8'));
const { packages } = read('package-lock.json') as { readonly packages: Readonly<Record<string, Manifest>> };
const manifest = read('package.json') as Manifest & {
  readonly allowScripts: Readonly<Record<string, boolean>>;
};

// Yoga's own ranges reach versions of @graphql-tools that ask for Node 22.15; npm takes the exact ones that are direct
// dependencies here instead, and does so for those who install runfeed, too: overrides would not travel.
describe('what Node is promised', () => {
  test.each(['20.19.0', '20.20.2', '22.13.0', '22.23.3', '24.0.0', '24.21.0'])(
    'every package in the lock file runs on Node %s',
    (version) => {
      const supports = ({ engines }: Manifest): boolean => satisfies(version, engines?.node ?? '*');
      expect(supports(manifest)).toBe(true);
      // npm leaves out an optional one that asks for another Node.
      const refusing = Object.entries(packages).filter(([, each]) => !each.optional && !supports(each));
      expect(refusing.map(([name, { engines }]) => `${name} asks for ${engines?.node}`)).toEqual([]);
      const driver = version.startsWith('20.') ? 'better-sqlite3' : 'better-sqlite3-13';
      expect(supports(packages[`node_modules/${driver}`]!)).toBe(true);
    },
  );

  test('SQLite’s driver for Node 22 and newer comes built', () => {
    expect(packages['node_modules/better-sqlite3-13']).toMatchObject({ optional: true });
    expect(packages['node_modules/better-sqlite3-13']).not.toHaveProperty('hasInstallScript');
  });

  test('engines leaves out what a package refuses', () => {
    for (const version of ['18.20.0', '20.18.0', '22.12.0']) {
      expect(satisfies(version, manifest.engines?.node ?? '*')).toBe(false);
    }
  });
});

test('every package with an install script is approved by name, so that npm neither warns nor skips it', () => {
  const scripted = Object.entries(packages)
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
  // Without versions: npm 11 compares those with addresses, which this lock file has none of.
  expect(Object.keys(manifest.allowScripts).sort()).toEqual(scripted.sort());
});
