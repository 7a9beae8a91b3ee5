import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeApi, OPERATIONS } from '../../../src/openapi/document';
import { ERROR_CODES } from '../../../src/openapi/schemas';
import { GENERAL_ERRORS } from '../../../src/openapi/operation';
import { createTempFolder, removeTempFolders } from '../../support/temp-folder';

const VALIDATOR = join(
  dirname(require.resolve('@seriousme/openapi-schema-validator/package.json')),
  'bin/validate-api-cli.js',
);

afterAll(removeTempFolders);

describe('describeApi()', () => {
  it('is valid OpenAPI 3.1', () => {
    const file = join(createTempFolder(), 'openapi.json');
    writeFileSync(file, JSON.stringify(describeApi()));
    // a program of its own: it is an ES module that knows its own address
    const output = execFileSync(process.execPath, [VALIDATOR, file], { encoding: 'utf8' });
    expect(JSON.parse(output)).toEqual({ valid: true });
  });

  it('refers only to what is there, and has nothing that nobody refers to', () => {
    const document = describeApi();
    const refs = new Set(
      [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/([^"]+)"/g)].map(
        ([, name]) => name,
      ),
    );
    const components = document.components as Record<string, Record<string, unknown>>;
    const names = Object.entries(components)
      .filter(([kind]) => kind !== 'securitySchemes')
      .flatMap(([kind, entries]) => Object.keys(entries).map((name) => `${kind}/${name}`));
    expect([...refs].sort()).toEqual(names.sort());
  });

  it('knows every code', () => {
    const documented = new Set([...GENERAL_ERRORS, ...OPERATIONS.flatMap(({ errors }) => errors)]);
    expect([...documented].sort()).toEqual([...ERROR_CODES].sort());
  });

  it('gives each operation a name of its own', () => {
    const document = describeApi();
    const ids = Object.values(
      document.paths as Record<string, Record<string, { operationId: string }>>,
    )
      .flatMap((path) => Object.values(path))
      .map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
