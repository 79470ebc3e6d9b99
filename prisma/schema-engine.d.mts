import type { DiagnoseMigrationHistoryOutput, MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm';

type Dialect = 'postgres' | 'sqlite';

export function startSchemaEngine(url: string): Promise<SchemaEngine>;
export function readSchema(dialect: Dialect): string;
export function readHistory(dialect: Dialect): MigrationList;
export function diffHistoryWithSchema(
  engine: SchemaEngine,
  history: MigrationList,
  schema: string,
): Promise<string>;
export function diagnoseHistory(
  engine: SchemaEngine,
  history: MigrationList,
): Promise<DiagnoseMigrationHistoryOutput>;
