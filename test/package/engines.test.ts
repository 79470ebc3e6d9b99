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

// Yoga's ranges include versions of @graphql-tools that require Node 22.15. npm installs the exact versions
// that are direct dependencies here instead, also for users of runfeed: overrides would not apply to them.
describe('the supported versions of Node', () => {
  test.each(['20.19.0', '20.20.2', '22.13.0', '22.23.3', '24.0.0', '24.21.0'])(
    'every package in the lock file runs on Node %s',
    (version) => {
      const supports = ({ engines }: Manifest): boolean => satisfies(version, engines?.node ?? '*');
      expect(supports(manifest)).toBe(true);
      // npm skips an optional package that requires another Node.
      const refusing = Object.entries(packages).filter(([, each]) => !each.optional && !supports(each));
      expect(refusing.map(([name, { engines }]) => `${name} requires ${engines?.node}`)).toEqual([]);
      // The other one is not installed. To keep it so after an update of version 12, narrow its `engines` in the lock file
      // again: npm would compile it.
      const drivers = ['better-sqlite3', 'better-sqlite3-13'];
      const installed = drivers.filter((driver) => supports(packages[`node_modules/${driver}`]!));
      expect(installed).toEqual([version.startsWith('20.') ? 'better-sqlite3' : 'better-sqlite3-13']);
    },
  );

  test('the SQLite driver for Node 22 and newer comes prebuilt', () => {
    expect(packages['node_modules/better-sqlite3-13']).toMatchObject({ optional: true });
    expect(packages['node_modules/better-sqlite3-13']).not.toHaveProperty('hasInstallScript');
  });

  test('engines excludes versions that a package refuses', () => {
    for (const version of ['18.20.0', '20.18.0', '22.12.0']) {
      expect(satisfies(version, manifest.engines?.node ?? '*')).toBe(false);
    }
  });
});

test('every package with an install script is allowed by name, so that npm neither warns nor skips it', () => {
  const scripted = Object.entries(packages)
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
  // Without versions: npm 11 compares versions with addresses, and this lock file has no addresses.
  expect(Object.keys(manifest.allowScripts).sort()).toEqual(scripted.sort());
});
