// Derives prisma/sqlite/schema.prisma from prisma/schema.prisma: Prisma knows one provider per schema.
// `--check` writes nothing and fails when the committed file is not what would be written.
import { readFileSync, writeFileSync } from 'node:fs';

const source = new URL('./schema.prisma', import.meta.url);
const target = new URL('./sqlite/schema.prisma', import.meta.url);

/** @param {string} schema the Postgres schema @returns {string} the same models for SQLite */
export function deriveSqliteSchema(schema) {
  const models = schema.slice(schema.indexOf('/// One run'));
  const header = [
    '// Derived from ../schema.prisma by ../derive-sqlite.mjs: edit that one.',
    '',
    'generator client {',
    '  provider            = "prisma-client"',
    '  output              = "../../src/generated/sqlite"',
    '  runtime             = "nodejs"',
    '  moduleFormat        = "esm"',
    '  importFileExtension = "ts"',
    '}',
    '',
    'datasource db {',
    '  provider = "sqlite"',
    '}',
    '',
    '',
  ].join('\n');
  return header + models.replaceAll(/\s+@db\.\w+/g, '');
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const derived = deriveSqliteSchema(readFileSync(source, 'utf8'));
  if (!process.argv.includes('--check')) writeFileSync(target, derived);
  else if (readFileSync(target, 'utf8') !== derived) {
    console.error('prisma/sqlite/schema.prisma is out of date: run npm run generate');
    process.exitCode = 1;
  }
}
