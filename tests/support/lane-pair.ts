import { type RequestListener } from 'node:http';
import { createRequestListener } from '../../src/app';
import { type Container, type Replacements } from '../../src/container';
import { createFastLane } from '../../src/fast-lane';
import { startApp, type TestApp } from './build-app';
import { exchange, fieldOf, type RawAnswer, type RawRequest } from './raw-answers';
import { until } from './until';

/** The app behind the lane, and the app alone, over the same library. */
export interface LanePair {
  readonly lane: TestApp;
  readonly alone: TestApp;
  /** how many requests the lane has handed on to the app so far */
  readonly passed: () => number;
  /** Sends the same to both and returns what each made of it, without ids and times. */
  compare(requests: readonly RawRequest[], options?: CompareOptions): Promise<Comparison>;
  close(): Promise<void>;
}

export interface CompareOptions {
  /** lines that the requests are worth; one for each unless told */
  readonly logLines?: number;
  /** of requests that are counted at the same time nobody can say which is the first */
  readonly isCountedInTurn?: boolean;
}

export interface Comparison {
  readonly lane: Outcome;
  readonly alone: Outcome;
  readonly answers: readonly RawAnswer[];
  /** requests that the lane handed on to the app */
  readonly passed: number;
}

export interface Outcome {
  readonly answers: readonly unknown[];
  readonly log: readonly unknown[];
}

const GENERATED_ID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

export async function startLanePair(
  env: Readonly<Record<string, string>>,
  replacements: () => Replacements = () => ({}),
): Promise<LanePair> {
  const createBoundary = (): string => 'a-boundary-of-the-test';
  let passed = 0;
  const withoutLane = (container: Container): RequestListener =>
    createRequestListener({
      ...container,
      createBoundary,
      config: { ...container.config, fastLane: false },
    });
  const behindLane = (container: Container): RequestListener => {
    const app = withoutLane(container);
    return createFastLane({ ...container, createBoundary }, (req, res) => {
      passed += 1;
      app(req, res);
    });
  };
  // without Redis each of them counts for itself, so that even what remains is the same
  const own = { REDIS_URL: '', ...env };
  const [lane, alone] = await Promise.all([
    startApp(own, replacements(), behindLane),
    startApp(own, replacements(), withoutLane),
  ]);
  // each says once what it found, whenever it has
  const hasLooked = ({ log }: TestApp): boolean =>
    log.some(({ message }) => String(message).startsWith('ffmpeg'));
  await until(() => hasLooked(lane) && hasLooked(alone), 'both have looked for ffmpeg');

  return {
    lane,
    alone,
    passed: () => passed,
    async compare(requests, options = {}) {
      const passedBefore = passed;
      const [inLane, inApp] = await Promise.all([
        observe(lane, requests, options),
        observe(alone, requests, options),
      ]);
      return {
        lane: inLane.outcome,
        alone: inApp.outcome,
        answers: inLane.answers,
        passed: passed - passedBefore,
      };
    },
    async close() {
      await Promise.all([lane.close(), alone.close()]);
    },
  };
}

async function observe(
  app: TestApp,
  requests: readonly RawRequest[],
  { logLines = requests.length, isCountedInTurn = true }: CompareOptions,
): Promise<{ readonly outcome: Outcome; readonly answers: readonly RawAnswer[] }> {
  const linesBefore = app.log.length;
  const answers = await exchange(app.port, requests);
  await until(() => app.log.length >= linesBefore + logLines, `${logLines} log lines`);
  const lines = app.log.slice(linesBefore);
  const ids = answers.map((answer) => fieldOf(answer, 'X-Request-Id'));
  return {
    answers,
    outcome: {
      answers: answers.map((answer) => describeAnswer(answer, isCountedInTurn)),
      log: lines.map((line) => describeLine(line, ids)),
    },
  };
}

function describeAnswer(answer: RawAnswer, isCountedInTurn: boolean): unknown {
  const fields = answer.fields.map((line) => {
    const [, name = '', value = ''] = /^([^:]+): ?(.*)$/.exec(line) ?? [];
    return `${name.toLowerCase()}: ${describeField(name.toLowerCase(), value, isCountedInTurn)}`;
  });
  return {
    statusLine: answer.statusLine,
    fields: fields.sort(),
    content: answer.content.toString('base64'),
    isWhole: answer.isWhole,
  };
}

function describeField(name: string, value: string, isCountedInTurn: boolean): string {
  if (name === 'date') return 'now';
  if (name === 'retry-after') return value.replace(/^\d\d+$/, 'soon');
  if (name === 'x-request-id' && GENERATED_ID.test(value)) return 'generated';
  if (name !== 'ratelimit') return value;
  const withoutTime = value.replace(/\bt=\d+$/, 't');
  return isCountedInTurn ? withoutTime : withoutTime.replace(/\br=\d+/, 'r');
}

/** A line with the position of its answer in place of an id that was made up. */
function describeLine(
  line: Readonly<Record<string, unknown>>,
  ids: readonly (string | undefined)[],
): unknown {
  const { requestId } = line;
  const isGenerated = typeof requestId === 'string' && GENERATED_ID.test(requestId);
  const described = {
    ...line,
    timestamp: 'now',
    ...('durationMs' in line ? { firstByteMs: 'some', durationMs: 'some' } : {}),
    ...(isGenerated ? { requestId: `of answer ${ids.indexOf(requestId)}` } : {}),
    ...('error' in line ? { error: withoutStack(line.error) } : {}),
  };
  return Object.entries(described);
}

/** Whoever called it is what the two differ in. */
function withoutStack(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return error;
  return Object.fromEntries(
    Object.entries(error)
      .filter(([key]) => key !== 'stack')
      .map(([key, value]) => [key, key === 'cause' ? withoutStack(value) : (value as unknown)]),
  );
}
