// biome-ignore lint/style/noDefaultExport: Prisma's adapter imports the default
export { Database as default } from '../../../src/store/sqlite-file/driver.ts';
