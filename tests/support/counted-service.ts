import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { type Calls, type Question, type Reply } from './count-calls';
import { startService, writePreload, type LogLine } from './service-process';

/** The built service with its calls counted, and with a clock that goes on only when told. */
export interface CountedService {
  readonly port: number;
  /** lines so far, parsed */
  readonly log: readonly LogLine[];
  /**
   * Lets its clock go on, with all that falls due, and waits until it has nothing left to do.
   *
   * @param advanceMs none by default
   */
  settle(advanceMs?: number): Promise<void>;
  /** The same; what the service has done since this was last asked. */
  takeCalls(advanceMs?: number): Promise<Calls>;
}

export async function startCountedService(
  env: Readonly<Record<string, string>>,
): Promise<CountedService> {
  const { port, log, channel } = await startService(env, { preload: compilePreload() });
  let questions = 0;

  const ask = (advanceMs: number, isFinal: boolean): Promise<Calls> => {
    questions += 1;
    const question: Question = { id: questions, advanceMs, isFinal };
    return new Promise((resolve, reject) => {
      const take = ({ id, calls }: Reply): void => {
        if (id !== question.id) return;
        channel.off('message', take);
        resolve(calls);
      };
      channel.on('message', take);
      channel.send(question, (error) => {
        if (error) reject(error);
      });
    });
  };

  return {
    port,
    log,
    async settle(advanceMs = 0) {
      await ask(advanceMs, false);
    },
    takeCalls: (advanceMs = 0) => ask(advanceMs, true),
  };
}

/** Node 20 runs no TypeScript. */
function compilePreload(): string {
  const source = readFileSync(join(__dirname, 'count-calls.ts'), 'utf8');
  const { outputText } = transpileModule(source, {
    compilerOptions: {
      module: ModuleKind.CommonJS,
      target: ScriptTarget.ES2023,
      esModuleInterop: true,
    },
  });
  return writePreload(outputText);
}
