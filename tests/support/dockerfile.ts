import { readFileSync } from 'node:fs';

export interface Instruction {
  readonly keyword: string;
  readonly args: string;
}

export interface Stage {
  readonly name: string;
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

/**
 * Reads as much of a Dockerfile as ours uses: stages, comments, continued lines, and ARG with a
 * default where FROM mentions it.
 */
export function parseDockerfile(file: string): readonly Stage[] {
  const defaults = new Map<string, string>();
  const stages: { name: string; from: string; instructions: Instruction[] }[] = [];

  for (const { keyword, args } of instructionsOf(readFileSync(file, 'utf8'))) {
    const current = stages.at(-1);
    if (keyword === 'FROM') {
      const [image = '', , name = `${stages.length}`] = args.split(/\s+/);
      const from = image.replace(/\$\{(\w+)\}/g, (_, arg: string) => defaults.get(arg) ?? '');
      stages.push({ name, from, instructions: [] });
    } else if (current) {
      current.instructions.push({ keyword, args });
    } else if (keyword === 'ARG') {
      const [arg = '', value = ''] = args.split('=');
      defaults.set(arg, value);
    }
  }
  return stages;
}

/** The words of an instruction in exec form; undefined when it is in shell form. */
export function execForm(args: string): readonly string[] | undefined {
  try {
    const words: unknown = JSON.parse(args);
    return Array.isArray(words) ? words.map(String) : undefined;
  } catch {
    return undefined;
  }
}

/** The instruction that a container is started by or from: of several, the last one counts. */
export function lastOf(stage: Stage, keyword: string): string {
  return stage.instructions.findLast((instruction) => instruction.keyword === keyword)?.args ?? '';
}

/**
 * Says for a path (relative, with slashes) whether `.dockerignore` keeps it out of the build: the
 * last pattern that matches it or a folder above it decides.
 */
export function createIgnore(text: string): (path: string) => boolean {
  const rules = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const keep = line.startsWith('!');
      return { keep, pattern: globToRegExp(keep ? line.slice(1) : line) };
    });

  return (path) => {
    const parts = path.split('/');
    const withParents = parts.map((_, i) => parts.slice(0, i + 1).join('/'));
    const decisive = rules.findLast(({ pattern }) => withParents.some((p) => pattern.test(p)));
    return decisive !== undefined && !decisive.keep;
  };
}

function instructionsOf(text: string): readonly Instruction[] {
  return text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [keyword = ''] = line.split(/\s/, 1);
      return { keyword: keyword.toUpperCase(), args: line.slice(keyword.length).trim() };
    });
}

function globToRegExp(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*|\?/g, (wild) => ({ '**/': '(?:.*/)?', '*': '[^/]*' })[wild] ?? '[^/]');
  return new RegExp(`^${source}$`, 'u');
}
