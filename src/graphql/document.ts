import {
  type DefinitionNode,
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  OperationTypeNode,
  parse,
  type Token,
  TokenKind,
  type ValueNode,
  validate,
  visit,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { validateRunnerEventBatch } from '../contract/validate.ts';
import { clipEnd } from '../lib/clip.ts';
import { assertBounded } from './admission.ts';
import { BATCH_ENUM_KEYS, BATCH_INPUT } from './batch-input.ts';
import { assertWithin, documentTooLarge, MAX_MESSAGE_LENGTH, recoded } from './faults.ts';
import { DOCUMENT_LIMITS, SUBSCRIPTION_LIMITS } from './limits.ts';
import { literalToJson } from './literals.ts';
import { assertFewSameNames } from './same-names.ts';

/** Of documents as text. Parsed, one of short tokens weighs a hundred times as much. */
const ASKED_AGAIN_BYTES = 256 * 1024;
/** The same for documents that were asked for once. However many there are, they push out no other. */
const ONCE_ASKED_BYTES = 256 * 1024;

/** Errors of validation that are looked for: each searches the schema for names that were meant. */
const MAX_ERRORS = 10;

/** Turns documents into what can be executed, and remembers them. */
export interface Documents {
  /** Throws a GraphQL error with a code for one that is too large or no GraphQL. */
  parse(query: string): DocumentNode;
  /** Whether the document is remembered, so that to parse and validate it costs nothing. To be asked once a request. */
  knows(query: string): boolean;
  /** What is wrong with it; empty: nothing. */
  validate(document: DocumentNode): readonly GraphQLError[];
}

/** Makes the parser and validator of documents against the schema that people see. */
export function createDocuments(schema: GraphQLSchema): Documents {
  const onceAsked = createCache(ONCE_ASKED_BYTES);
  const askedAgain = createCache(ASKED_AGAIN_BYTES);
  const verdicts = new WeakMap<DocumentNode, readonly GraphQLError[]>();
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
      onceAsked.set(query, document);
      return document;
    },
    validate: (document) => {
      const known = verdicts.get(document);
      if (known) return known;
      const errors = validate(schema, document, undefined, { maxErrors: MAX_ERRORS });
      const verdict = refusedBatch(document, errors) ?? errors.map(withValidationCode);
      verdicts.set(document, verdict);
      return verdict;
    },
  };
}

function createCache(maxBytes: number): LRUCache<string, DocumentNode> {
  return new LRUCache({ maxSize: maxBytes, sizeCalculation: (_document, query) => query.length + 1 });
}

function parseWithinLimits(query: string): DocumentNode {
  assertWithin('characters', query.length, DOCUMENT_LIMITS.bytes);
  // The parser recurses: what nests too deep is refused before it starts.
  assertWithin('brackets within brackets', nesting(query), DOCUMENT_LIMITS.nesting);
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
    throw recoded(error, clipEnd(error.message, MAX_MESSAGE_LENGTH), {
      code: 'GRAPHQL_PARSE_FAILED',
      http: { spec: true, status: 400 },
    });
  }
  const tokens = unlinkTokens(document);
  if (document.definitions.some(isSubscription)) {
    assertWithin('characters of a subscription', query.length, SUBSCRIPTION_LIMITS.bytes);
    assertWithin('tokens and comments of a subscription', tokens, SUBSCRIPTION_LIMITS.tokens);
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
 * Counts the tokens and comments, and refuses long names. Unlinks them from one another: as a chain they all stay in
 * memory for as long as one node of the document does.
 */
function unlinkTokens(document: DocumentNode): number {
  let count = 0;
  let token: Token | null = document.loc?.startToken ?? null;
  while (token) {
    const { kind, start, end, next }: Token = token;
    count += 1;
    if (kind === TokenKind.NAME)
      assertWithin('characters of a name', end - start, DOCUMENT_LIMITS.nameLength);
    Object.assign(token, { prev: null, next: null });
    token = next;
  }
  return count;
}

/** Bounds what is written, before anything walks it along its fragments. */
function assertWritten(document: DocumentNode): void {
  let fields = 0;
  visit(document, {
    Field: () => {
      fields += 1;
    },
    FragmentSpread: () => {
      fields += 1;
    },
    // Counts as well: everything that looks at the document recurses along its fragments.
    InlineFragment: () => {
      fields += 1;
    },
  });
  assertWithin('fields as they are written', fields, DOCUMENT_LIMITS.writtenFields);
}

/** A string, a block string or a comment, whole or up to where it breaks off. */
const TEXT = /"""(?:\\"""|[\s\S])*?(?:"""|$)|"(?:\\.|[^"\\\r\n])*"?|#[^\r\n]*/y;

/** The deepest bracket, strings and comments left out. */
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
 * The one error for a batch that was written into the document and has the wrong shape: GraphQL refuses it before the
 * contract sees it, yet programs branch on the contract's codes.
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
        refused = new GraphQLError('ingestEvents needs a batch', {
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
