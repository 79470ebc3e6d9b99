// `generate` runs as WASM, yet the CLI would first download an engine that it never starts; naming any
// executable keeps it from trying. Commands that do need the engine are left alone.
if (process.argv.includes('generate')) process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath;

// biome-ignore lint/style/noDefaultExport: Prisma reads its configuration from the default export
export default {
  schema: '../prisma/schema.prisma',
  migrations: { path: '../prisma/migrations' },
};
