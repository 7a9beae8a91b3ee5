'use strict';

const js = require('@eslint/js');
const tseslint = require('typescript-eslint');
const prettier = require('eslint-config-prettier');
const globals = require('globals');
const { defineConfig, globalIgnores } = require('eslint/config');

/**
 * The rooms of src/ and what each must not import; docs/architecture.md draws the same table.
 * A line that fits no room does two things.
 */
const rooms = {
  audio: {
    never: [
      'express',
      'node:*',
      '!node:buffer',
      '**/{routes,middleware,controllers,services,storage,adapters,observability,streaming,workers}/**',
      '**/{config,container,app,index,server,process}',
    ],
    why: 'audio/ is pure knowledge of audio formats: numbers and bytes in, numbers and bytes out',
  },
  streaming: {
    never: [
      'express',
      '**/{routes,middleware,controllers,services,storage,adapters,observability}/**',
      '**/{config,container,app,index,errors}',
    ],
    why: 'streaming/ is HTTP semantics alone: it knows no framework and no other room',
  },
  storage: {
    never: [
      'express',
      '**/{routes,middleware,controllers,services,adapters}/**',
      '**/{config,container,app}',
    ],
    why: 'storage/ hands out bytes by key; it knows errors and the types of streaming/',
  },
  adapters: {
    never: [
      'express',
      '**/{routes,middleware,controllers,storage}/**',
      '**/{config,container,app}',
    ],
    why: 'adapters/ wrap one foreign program each',
  },
  services: {
    never: ['express', '**/{routes,middleware,controllers}/**', '**/{config,container,app}'],
    why: 'services/ are what the product does: no request, no response',
  },
  controllers: {
    never: ['**/{routes,storage,adapters}/**', '**/{config,container,app}'],
    why: 'controllers/ turn one request into one service call and one response',
  },
  middleware: {
    never: ['**/{routes,storage,adapters}/**', '**/{config,container,app}'],
    why: 'middleware/ sees services through their interfaces only',
  },
  workers: {
    never: [
      'express',
      '**/{routes,middleware,controllers,storage,adapters,streaming}/**',
      '**/{container,app,server,process}',
    ],
    why: 'workers/ starts processes that serve; the primary itself opens nothing they open',
  },
  openapi: {
    never: [
      'express',
      '**/{routes,storage,streaming,workers}/**',
      '**/{config,container,app,server,process}',
    ],
    why: 'openapi/ describes the API by what the other rooms check it with; it does nothing itself',
  },
  routes: {
    never: ['**/{services,storage,adapters,streaming}/**', '**/{config,container,app}'],
    why: 'routes/ say which URL goes to whom, nothing else',
  },
};

/** `a/{b,c}` -> `a/b`, `a/c`: the rule's patterns are those of .gitignore, which knows no braces. */
function expandBraces(pattern) {
  const [, before, choices, after] = /^(.*)\{([^}]*)\}(.*)$/.exec(pattern) ?? [];
  return choices === undefined
    ? [pattern]
    : choices.split(',').flatMap((choice) => expandBraces(before + choice + after));
}

const roomRules = Object.entries(rooms).map(([room, { never, why }]) => ({
  files: [`src/${room}/**/*.ts`],
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      { patterns: [{ group: never.flatMap(expandBraces), message: why }] },
    ],
  },
}));

module.exports = defineConfig([
  globalIgnores(['dist/', 'bench/.build/', 'coverage/', 'node_modules/']),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['jest.config.ts'] },
        tsconfigRootDir: __dirname,
      },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      'max-lines': ['error', { max: 250, skipBlankLines: true, skipComments: true }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['tests/**/*.ts'],
    rules: {
      // a table of cases is as long as the standard makes it
      'max-lines': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  ...roomRules,
  {
    // where objects are made for each request
    files: ['src/{middleware,controllers,streaming}/**/*.ts', 'src/fast-lane.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ObjectExpression > Property[kind=/^[gs]et$/]',
          message:
            'V8 keeps the hidden class of each such literal, and all that the accessor sees, until a full collection: use a class.',
        },
      ],
    },
  },
  {
    files: ['**/*.js'],
    languageOptions: { sourceType: 'commonjs', globals: { ...globals.node } },
  },
  {
    // the player page: as the browser gets it
    files: ['src/page/**/*.js'],
    languageOptions: { sourceType: 'module', globals: { ...globals.browser } },
    rules: {
      'max-lines': ['error', { max: 250, skipBlankLines: true, skipComments: true }],
      eqeqeq: 'error',
    },
  },
  prettier,
]);
