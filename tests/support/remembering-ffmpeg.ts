import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { findProgram } from './find-program';

/** All that a service asks its ffmpeg of itself when it starts. */
const QUESTIONS = ['-hide_banner -version', '-hide_banner -encoders'];

/**
 * Puts in front on PATH an ffmpeg that is the installed one, but has in mind what that says of itself: each
 * of some hundred services asks both, and an ffmpeg needs 0.2 s of a core to load the 200 libraries of Debian's.
 * `TEST_FFMPEG` is the installed one.
 *
 * @param folder where it is written
 */
export function rememberFfmpeg(folder: string): void {
  const installed = findProgram('ffmpeg');
  if (installed === undefined) return; // the tests that need it say so
  const answers = QUESTIONS.map((question) => {
    const answer = execFileSync(installed, question.split(' '), { encoding: 'utf8' });
    return `'${question}') printf %s ${quote(answer)}; exit ;;`;
  });
  // nothing but the shell's own: some tests leave nothing else on PATH
  const script = `#!/bin/sh\ncase "$*" in\n${answers.join('\n')}\nesac\nexec ${quote(installed)} "$@"\n`;
  writeFileSync(join(folder, 'ffmpeg'), script, { mode: 0o755 });
  process.env.PATH = `${folder}${delimiter}${process.env.PATH ?? ''}`;
  process.env.TEST_FFMPEG = installed;
}

/** As one word of a shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
