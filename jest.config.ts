/**
 * `npm run typecheck` looks at this file too; the compiler takes two seconds for it.
 *
 * @jest-config-loader-options {"transpileOnly": true}
 */
import type { Config } from 'jest';

// Published as ES modules only. Jest cannot require() those on Node 20, so they are compiled to
// CommonJS for the tests; a new dependency of that kind is added here.
const esmOnly = [
  'music-metadata',
  'strtok3',
  'token-types',
  'file-type',
  'uint8array-extras',
  '@borewit/text-codec',
  '@tokenizer/inflate',
  'media-typer',
  'win-guid',
];

const config: Config = {
  testEnvironment: 'node',
  roots: ['<rootDir>/tests'],
  globalSetup: '<rootDir>/tests/support/global-setup.ts',
  globalTeardown: '<rootDir>/tests/support/global-teardown.ts',
  testSequencer: '<rootDir>/tests/support/suite-order.js',
  // a machine that is shared can take three times as long as an idle one; who hangs fails all the same
  testTimeout: 60_000,
  // Jest would leave a core idle; most suites wait for programs of their own
  maxWorkers: '100%',
  moduleNameMapper: {
    // these export only under the conditions "import" and "module-sync"
    '^music-metadata$': '<rootDir>/node_modules/music-metadata/lib/index.js',
    '^file-type$': '<rootDir>/node_modules/file-type/index.js',
  },
  transform: {
    '^.+\\.[jt]s$': [
      'ts-jest',
      {
        tsconfig: {
          module: 'node20',
          target: 'es2023',
          rootDir: '.',
          allowJs: true,
          isolatedModules: true,
          esModuleInterop: true,
          types: ['node', 'jest'],
        },
      },
    ],
  },
  transformIgnorePatterns: [`/node_modules/(?!(?:${esmOnly.join('|')})/)`],
};

export default config;
