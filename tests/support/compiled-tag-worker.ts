import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';

const ROOT = join(__dirname, '../..');
const ENTRY = join(ROOT, 'src/adapters/tag-reader-worker.ts');
const OPTIONS = {
  module: ModuleKind.CommonJS,
  target: ScriptTarget.ES2023,
  esModuleInterop: true,
};

/**
 * Compiles the thread that reads tags, and what it imports, as the build does, once for all suites: from the
 * sources each thread of each app would load a compiler first, which takes ten times as long as the rest.
 * `TEST_TAG_WORKER` is its file.
 *
 * @param folder where it is written
 */
export function compileTagWorker(folder: string): void {
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const compiled = new Set<string>();
  compile(ENTRY);
  process.env.TEST_TAG_WORKER = outputOf(ENTRY);

  function compile(file: string): void {
    if (compiled.has(file)) return;
    compiled.add(file);
    const { outputText } = transpileModule(readFileSync(file, 'utf8'), {
      compilerOptions: OPTIONS,
    });
    mkdirSync(dirname(outputOf(file)), { recursive: true });
    writeFileSync(outputOf(file), outputText);
    for (const [, path = ''] of outputText.matchAll(/require\("(\.[^"]+)"\)/g)) {
      compile(`${resolve(dirname(file), path)}.ts`);
    }
  }

  function outputOf(file: string): string {
    return join(folder, relative(ROOT, file)).replace(/\.ts$/, '.js');
  }
}
