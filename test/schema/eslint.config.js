import graphql from '@graphql-eslint/eslint-plugin';

const acceptedIds = { acceptedIdNames: ['id'], acceptedIdTypes: ['ID'] };

// biome-ignore lint/style/noDefaultExport: ESLint reads its configuration from the default export
export default [
  {
    files: ['**/*.graphql'],
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: './schema.graphql' } },
    },
    plugins: { '@graphql-eslint': graphql },
    rules: {
      ...graphql.configs['flat/schema-recommended'].rules,
      ...graphql.configs['flat/schema-relay'].rules,
      // Enum values are the wire contract's own strings, in lower case.
      '@graphql-eslint/naming-convention': [
        'error',
        {
          types: 'PascalCase',
          FieldDefinition: 'camelCase',
          InputValueDefinition: 'camelCase',
          Argument: 'camelCase',
          DirectiveDefinition: 'camelCase',
        },
      ],
      // `Run.runtime` is a word, not a prefix.
      '@graphql-eslint/no-typename-prefix': 'off',
      // There is no `Node`: ids are the producers' own. Connections have `nodes` beside `edges`.
      '@graphql-eslint/relay-edge-types': [
        'error',
        { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false },
      ],
      '@graphql-eslint/strict-id-in-types': [
        'error',
        {
          ...acceptedIds,
          // What is no thing of its own: outcomes, values, pages. An event is known by its run and number, a job by its
          // run, a runner by its name.
          exceptions: {
            suffixes: ['Connection', 'Edge', 'Success', 'Batch', 'Gap'],
            types: [
              'BatchRejected',
              'JobRefused',
              'JobResources',
              'NativeRunRefused',
              'NotFound',
              'PageInfo',
              'ResourceStats',
              'RunConflict',
              'RunnerEvent',
              'RunnerJob',
              'RunnerJobHandle',
              'ServerInfo',
              'ServerLimits',
              'ServerRunner',
            ],
          },
        },
      ],
    },
  },
];
