import { openRaw } from './raw-connection';
import { until } from './until';

export interface RawRequest {
  readonly method?: string;
  readonly target: string;
  readonly version?: string;
  /** `name: value`, as they go */
  readonly fields?: readonly string[];
  readonly content?: string;
}

export interface RawAnswer {
  readonly statusLine: string;
  /** `name: value`, as they came */
  readonly fields: readonly string[];
  readonly content: Buffer;
  /** false where the connection was closed before the last byte */
  readonly isWhole: boolean;
}

const HEAD_END = '\r\n\r\n';

/** Writes the requests at once, as they are, and returns their answers in turn. */
export async function exchange(
  port: number,
  requests: readonly RawRequest[],
): Promise<readonly RawAnswer[]> {
  const connection = await openRaw(port, requests.map(formatRaw).join(''));
  let isClosed = false;
  connection.socket.once('close', () => (isClosed = true));
  let answers: readonly RawAnswer[] = [];
  await until(() => {
    answers = parseAnswers(connection.received(), requests);
    const isAnswered = answers.length === requests.length && answers.every((a) => a.isWhole);
    return isAnswered || isClosed;
  }, 'all answers, or the end of the connection');
  connection.socket.destroy();
  return answers;
}

export function fieldOf({ fields }: RawAnswer, name: string): string | undefined {
  const prefix = `${name.toLowerCase()}: `;
  return fields.find((line) => line.toLowerCase().startsWith(prefix))?.slice(prefix.length);
}

function formatRaw(request: RawRequest): string {
  const { method = 'GET', target, version = 'HTTP/1.1', fields = [], content = '' } = request;
  const lines = fields.map((line) => `${line}\r\n`);
  return `${method} ${target} ${version}\r\n${lines.join('')}\r\n${content}`;
}

function parseAnswers(bytes: Buffer, requests: readonly RawRequest[]): readonly RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = bytes;
  for (const { method } of requests) {
    const headEnd = rest.indexOf(HEAD_END);
    if (headEnd < 0) break;
    const [statusLine = '', ...fields] = rest.subarray(0, headEnd).toString('latin1').split('\r\n');
    const head = { statusLine, fields, content: Buffer.alloc(0), isWhole: true };
    const hasContent = method !== 'HEAD' && !/^HTTP\/1\.1 (?:204|304) /.test(statusLine);
    const length = hasContent ? Number(fieldOf(head, 'Content-Length') ?? Infinity) : 0;
    const content = rest.subarray(headEnd + HEAD_END.length).subarray(0, length);
    answers.push({ ...head, content, isWhole: content.length === length });
    rest = rest.subarray(headEnd + HEAD_END.length + content.length);
  }
  return answers;
}
