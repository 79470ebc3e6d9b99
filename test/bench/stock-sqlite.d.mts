import type { SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils';

export function stockSqliteAdapter(url: string): SqlDriverAdapterFactory;
