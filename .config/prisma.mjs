// `generate` runs as WASM, but the CLI would first download an engine that it never starts. Naming any
// executable prevents this. Commands that do need the engine are not affected.
if (process.argv.includes('generate')) process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath;

// biome-ignore lint/style/noDefaultExport: Prisma reads its configuration from the default export
export default {
  schema: '../prisma/schema.prisma',
  migrations: { path: '../prisma/migrations' },
};
