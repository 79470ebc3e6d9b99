import { existsSync, readFileSync } from 'node:fs';
import type { FakeRequest } from './operations.ts';

const DOCUMENT = new URL('../../../../shared/fly/machines-openapi.json', import.meta.url);

/** The part of a schema by which requests are checked. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
}

interface OperationDocument {
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
  }[];
  readonly requestBody?: {
    readonly required?: boolean;
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationDocument>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** Returns everything in a request that the documentation of the Machines API does not allow. */
export type Check = (request: FakeRequest) => string[];

const document: Document | null = existsSync(DOCUMENT) ? JSON.parse(readFileSync(DOCUMENT, 'utf8')) : null;

if (!document) console.warn(`${DOCUMENT.pathname} does not exist: requests are not checked against it.`);

/** Returns a checker based on the OpenAPI document. Null if the document is not available. */
export function openApiCheck(): Check | null {
  return document && ((request) => problemsOf(document, request));
}

function problemsOf(document: Document, request: FakeRequest): string[] {
  const { method, url } = request;
  if (!url.pathname.startsWith('/v1/')) return [];
  const where = `${method} ${url.pathname}`;
  const path = url.pathname.slice('/v1'.length);
  const template = Object.keys(document.paths).find((each) => matches(each, path));
  const operation = template && document.paths[template]?.[method.toLowerCase()];
  if (!operation) return [`${where} is not documented`];
  const { parameters = [], requestBody } = operation;
  const queries = parameters.filter((each) => each.in === 'query');
  const names = [...url.searchParams.keys()];
  const unknown = names
    // Fly documents these in prose but not in the document.
    .filter((name) => !name.startsWith('metadata.'))
    .filter((name) => !queries.some((each) => each.name === name));
  const missing = queries.filter(({ name, required }) => required && !names.includes(name));
  return [
    ...unknown.map((name) => `${where}: unknown query parameter ${name}`),
    ...missing.map(({ name }) => `${where}: missing query parameter ${name}`),
    ...bodyProblems(document, requestBody, request.body).map((problem) => `${where}: ${problem}`),
  ];
}

function matches(template: string, path: string): boolean {
  const [parts, given] = [template.split('/'), path.split('/')];
  return (
    parts.length === given.length &&
    parts.every((part, index) => (part.startsWith('{') ? given[index] !== '' : part === given[index]))
  );
}

function bodyProblems(
  document: Document,
  requestBody: OperationDocument['requestBody'],
  body: unknown,
): string[] {
  if (body === undefined) return requestBody?.required ? ['missing body'] : [];
  const schema = requestBody?.content['application/json']?.schema;
  return schema ? schemaProblems(document, schema, body, 'body') : ['unexpected body'];
}

/**
 * Returns the problems of a value. A property that no schema names is one, because the API would silently
 * ignore it.
 */
function schemaProblems(document: Document, schema: Schema, value: unknown, at: string): string[] {
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1)!;
    return schemaProblems(document, document.components.schemas[name]!, value, at);
  }
  if (schema.allOf) return schema.allOf.flatMap((part) => schemaProblems(document, part, value, at));
  if (schema.enum && !schema.enum.includes(value)) return [`${at} must be one of ${schema.enum.join(', ')}`];
  switch (schema.type) {
    case 'string':
    case 'boolean':
      return typeof value === schema.type ? [] : [`${at} must be a ${schema.type}`];
    case 'integer':
      return Number.isInteger(value) ? [] : [`${at} must be an integer`];
    case 'number':
      return typeof value === 'number' ? [] : [`${at} must be a number`];
    case 'array':
      if (!Array.isArray(value)) return [`${at} must be an array`];
      return value.flatMap((item, index) =>
        schemaProblems(document, schema.items ?? {}, item, `${at}[${index}]`),
      );
    case 'object': {
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        return [`${at} must be an object`];
      return Object.entries(value).flatMap(([name, inside]) => {
        const known = schema.properties?.[name] ?? schema.additionalProperties;
        return known
          ? schemaProblems(document, known, inside, `${at}.${name}`)
          : [`${at}.${name} is unknown`];
      });
    }
    default:
      return [];
  }
}
