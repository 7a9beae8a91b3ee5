import { type DerivedFile, type DerivedFiles } from '../storage/derived-files';
import {
  ended,
  startProduction,
  type Product,
  type Production,
  type ProductionDeps,
  type Recipe,
} from './production';

export interface Productions {
  /** What is kept or being made already; starts nothing. */
  find(key: string): Promise<Product | undefined>;
  /**
   * The output of the recipe; all who ask for one key share one production.
   *
   * @param subject on whose behalf it is begun, if it must be
   */
  open(recipe: Recipe, subject: string): Promise<Product>;
  /** Keeps what was made by the way; never fails. */
  keep(key: string, content: Buffer): Promise<void>;
  /** Ends what is running. */
  close(): Promise<void>;
}

export interface ProductionsDeps extends ProductionDeps {
  readonly files: DerivedFiles;
}

export function createProductions(deps: ProductionsDeps): Productions {
  const running = new Map<string, Production>();
  /** with those that are being ended, or read to their end */
  const all = new Set<Production>();
  let isClosed = false;

  const joinRunning = (key: string): Product | undefined => {
    const current = running.get(key);
    return current?.isJoinable() ? current.join() : undefined;
  };

  const find = async (key: string): Promise<Product | undefined> => {
    const joined = joinRunning(key);
    if (joined) return joined;
    const file = await deps.files.find(key).catch(() => undefined);
    return file ? openKept(file, deps.onNotKept) : joinRunning(key);
  };

  const start = (recipe: Recipe, subject: string): Product => {
    const production = startProduction({ ...recipe, subject }, deps, {
      forget() {
        // one that is being ended is nobody's any more; another may have begun meanwhile
        if (running.get(recipe.key) === production) running.delete(recipe.key);
      },
      onClosed() {
        all.delete(production);
      },
    });
    running.set(recipe.key, production);
    all.add(production);
    return production.join();
  };

  return {
    find,
    async open(recipe, subject) {
      const found = await find(recipe.key);
      if (isClosed) {
        found?.close();
        throw ended();
      }
      // nothing is awaited between this look and the start, so no two start
      return found ?? joinRunning(recipe.key) ?? start(recipe, subject);
    },
    keep: (key, content) => keep(deps.files, key, content).catch(deps.onNotKept),
    async close() {
      isClosed = true;
      await Promise.all([...all].map((production) => production.close()));
    },
  };
}

async function keep(files: DerivedFiles, key: string, content: Buffer): Promise<void> {
  const draft = await files.create(key);
  try {
    await draft.append(content);
    await draft.commit();
  } finally {
    await draft.discard();
  }
}

function openKept(file: DerivedFile, onTrouble: (error: unknown) => void): Product {
  return {
    ...file,
    lengthBytes: file.sizeBytes,
    isWhole: true,
    until: () => Promise.resolve(),
    whenOver: Promise.resolve(),
    close() {
      file.close().catch(onTrouble);
    },
  };
}
