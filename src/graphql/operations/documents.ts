import {
  type DefinitionNode,
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  OperationTypeNode,
  parse,
  Source,
  specifiedRules,
  TokenKind,
  type ValueNode,
  validate,
  visit,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { validateRunnerEventBatch } from '../../contract/validate.ts';
import { assertWithin, documentTooLarge, recoded } from '../errors/faults.ts';
import { BATCH_ENUM_KEYS, BATCH_INPUT } from '../ingest/batch-input.ts';
import { literalToJson } from '../literals.ts';
import { DOCUMENT_LIMITS, SUBSCRIPTION_LIMITS } from '../price/limits.ts';
import { assertBounded } from './admission.ts';
import { assertFewSameNames } from './same-names.ts';
import { UnconditionalSubscriptionRule } from './subscription-rule.ts';

/**
 * Cache of repeatedly requested documents, in bytes of text: of short tokens they take 100 times more when
 * parsed.
 */
const ASKED_AGAIN_BYTES = 256 * 1024;
/** Cache of documents requested once. They never evict documents that were requested repeatedly. */
const ONCE_ASKED_BYTES = 256 * 1024;

/** Validation stops after this many errors: each error searches the schema for similar names to suggest. */
const MAX_ERRORS = 10;
const RULES = [...specifiedRules, UnconditionalSubscriptionRule];

/**
 * An error's location in a longer document counts from the start of the document, as a column of line 1: to find the
 * line, each error searches the whole text up to its place, and an operation may have hundreds of errors.
 */
const LOCATED_LENGTH = 16 * 1024;
const LOCATED_LINES = 500;
const ONE_LINE = new Source(' ', 'a long document');

/** Parses and validates documents, and caches valid ones. */
export interface Documents {
  /** Throws a GraphQL error with a code if the document is too large or is not GraphQL. */
  parse(query: string): DocumentNode;
  /** Returns true if the document is cached, so parsing and validation are free. Call once per request. */
  knows(query: string): boolean;
  /** Returns the validation errors; empty if the document is valid. */
  validate(document: DocumentNode): readonly GraphQLError[];
}

/** Creates the parser and validator for documents. `schema` is the public schema. */
export function createDocuments(schema: GraphQLSchema): Documents {
  const onceAsked = createCache(ONCE_ASKED_BYTES);
  const askedAgain = createCache(ASKED_AGAIN_BYTES);
  const valid = new WeakSet<DocumentNode>();
  const texts = new WeakMap<DocumentNode, string>();
  return {
    knows: (query) => {
      if (askedAgain.has(query)) return true;
      const document = onceAsked.get(query);
      if (!document) return false;
      onceAsked.delete(query);
      askedAgain.set(query, document);
      return true;
    },
    parse: (query) => {
      const known = askedAgain.get(query) ?? onceAsked.get(query);
      if (known) return known;
      const document = parseWithinLimits(query);
      texts.set(document, query);
      onceAsked.set(query, document);
      return document;
    },
    validate: (document) => {
      if (valid.has(document)) return [];
      const errors = validate(schema, document, RULES, { maxErrors: MAX_ERRORS });
      if (errors.length === 0) {
        valid.add(document);
        return [];
      }
      // Errors are not cached: each keeps its stack with everything that validation used, 60 KB for `{a}`.
      const text = texts.get(document) ?? '';
      onceAsked.delete(text);
      askedAgain.delete(text);
      return refusedBatch(document, errors) ?? errors.map(withValidationCode);
    },
  };
}

function createCache(maxBytes: number): LRUCache<string, DocumentNode> {
  return new LRUCache({ maxSize: maxBytes, sizeCalculation: (_document, query) => query.length + 1 });
}

function parseWithinLimits(query: string): DocumentNode {
  assertWithin('characters', query.length, DOCUMENT_LIMITS.bytes);
  // The parser recurses, so documents that nest too deep are refused before it starts.
  assertWithin('levels of brackets', nesting(query), DOCUMENT_LIMITS.nesting);
  let document: DocumentNode;
  try {
    document = parse(query, { maxTokens: DOCUMENT_LIMITS.tokens });
  } catch (error) {
    if (error instanceof RangeError) {
      throw documentTooLarge('levels', Number.MAX_SAFE_INTEGER, DOCUMENT_LIMITS.nesting);
    }
    if (!(error instanceof GraphQLError)) throw error;
    if (/contains more tha[nt] \d+ tokens/.test(error.message)) {
      throw documentTooLarge('tokens', DOCUMENT_LIMITS.tokens + 1, DOCUMENT_LIMITS.tokens);
    }
    throw recoded(error, error.message, {
      code: 'GRAPHQL_PARSE_FAILED',
      http: { spec: true, status: 400 },
    });
  }
  const tokens = dropTokens(document, isLong(query) ? ONE_LINE : null);
  if (document.definitions.some(isSubscription)) {
    assertWithin('characters in a subscription', query.length, SUBSCRIPTION_LIMITS.bytes);
    assertWithin('tokens and comments in a subscription', tokens, SUBSCRIPTION_LIMITS.tokens);
  }
  assertWritten(document);
  assertBounded(document);
  assertFewSameNames(document);
  return document;
}

function isSubscription(node: DefinitionNode): boolean {
  return node.kind === Kind.OPERATION_DEFINITION && node.operation === OperationTypeNode.SUBSCRIPTION;
}

/**
 * Counts the tokens and comments, and refuses long names. Then drops all tokens but the first: only the positions in the
 * source are needed later, and the tokens would take as much memory as the rest of the document. `source` replaces the
 * text in which errors look for their lines, unless it is null.
 */
function dropTokens(document: DocumentNode, source: Source | null): number {
  const first = document.loc?.startToken ?? null;
  let count = 0;
  for (let token = first; token; token = token.next) {
    count += 1;
    if (token.kind === TokenKind.NAME)
      assertWithin('characters in a name', token.end - token.start, DOCUMENT_LIMITS.nameLength);
  }
  if (first) Object.assign(first, { next: null });
  visit(document, {
    enter: ({ loc }) => {
      if (loc) Object.assign(loc, { startToken: first, endToken: first, ...(source && { source }) });
    },
  });
  return count;
}

/** Returns true if errors do not search the document for their lines, see {@link LOCATED_LENGTH}. */
function isLong(query: string): boolean {
  return query.length > LOCATED_LENGTH || query.split(/\r\n|\r|\n/, LOCATED_LINES + 1).length > LOCATED_LINES;
}

/** Limits the fields and fragments in the source text, before any code expands the fragments. */
function assertWritten(document: DocumentNode): void {
  let fields = 0;
  visit(document, {
    Field: () => {
      fields += 1;
    },
    FragmentSpread: () => {
      fields += 1;
    },
    // Inline fragments count as well: all code that walks the document recurses through them.
    InlineFragment: () => {
      fields += 1;
    },
  });
  assertWithin('fields and fragments, not expanded', fields, DOCUMENT_LIMITS.writtenFields);
}

/** A string, a block string or a comment, complete or cut off. */
const TEXT = /"""(?:\\"""|[\s\S])*?(?:"""|$)|"(?:\\.|[^"\\\r\n])*"?|#[^\r\n]*/y;

/** Returns the maximum depth of brackets, ignoring strings and comments. */
function nesting(query: string): number {
  let depth = 0;
  let deepest = 0;
  for (let index = 0; index < query.length; index += 1) {
    const char = query.charCodeAt(index);
    if (char === 0x22 || char === 0x23) {
      TEXT.lastIndex = index;
      TEXT.test(query);
      index = Math.max(index, TEXT.lastIndex - 1);
    } else if (char === 0x7b || char === 0x5b || char === 0x28) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (char === 0x7d || char === 0x5d || char === 0x29) depth -= 1;
  }
  return deepest;
}

/**
 * Returns the single error for a batch literal of the wrong shape: GraphQL refuses it before the contract
 * sees it, but programs branch on the contract's codes.
 */
function refusedBatch(document: DocumentNode, errors: readonly GraphQLError[]): [GraphQLError] | null {
  if (errors.length === 0) return null;
  let refused: GraphQLError | null = null;
  const refuse = (batch: ValueNode | undefined) => {
    if (refused || !batch || !errors.some((error) => liesWithin(error, batch))) return;
    const verdict = validateRunnerEventBatch(literalToJson(batch, {}, BATCH_ENUM_KEYS));
    refused = new GraphQLError(verdict.ok ? errors[0]!.message : verdict.message, {
      nodes: batch,
      extensions: { code: verdict.ok ? 'invalid_envelope' : verdict.code },
    });
  };
  visit(document, {
    VariableDefinition: ({ type, defaultValue }) => {
      const named = type.kind === Kind.NON_NULL_TYPE ? type.type : type;
      if (named.kind === Kind.NAMED_TYPE && named.name.value === BATCH_INPUT) refuse(defaultValue);
    },
    Field: (field) => {
      if (refused || field.name.value !== 'ingestEvents') return;
      const batch = field.arguments?.find(({ name }) => name.value === 'batch');
      if (!batch) {
        refused = new GraphQLError('ingestEvents requires a batch', {
          nodes: field,
          extensions: { code: 'invalid_envelope' },
        });
      } else if (batch.value.kind !== Kind.VARIABLE) refuse(batch.value);
    },
  });
  return refused && [refused];
}

function liesWithin(error: GraphQLError, value: ValueNode): boolean {
  const { loc } = value;
  return !!loc && (error.positions ?? []).some((position) => position >= loc.start && position < loc.end);
}

function withValidationCode(error: GraphQLError): GraphQLError {
  return recoded(error, error.message, {
    code: 'GRAPHQL_VALIDATION_FAILED',
    ...error.extensions,
  });
}
