import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { toTokenKey, type TokenKey } from './services/token-keys';

/** two to rotate, and some to spare: each is tried on every token that fits */
const MAX_KEYS = 8;
const BLOCK = /-----BEGIN ([A-Z ]+)-----[^-]*-----END \1-----/g;
const PUBLIC = ['PUBLIC KEY', 'RSA PUBLIC KEY'];

/** What is wrong with a key, as it is said behind the name of the variable. */
class KeyProblem extends Error {}

/** PEM (also with its lines joined by `\\n`, as env files have it) or the path of a PEM file; one key or several. */
export const publicKeys = z.string().transform((value, context) => {
  try {
    return parsePublicKeys(value.includes('-----BEGIN') ? value : readPem(value));
  } catch (error) {
    if (!(error instanceof KeyProblem)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
    return z.NEVER;
  }
});

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new KeyProblem('must be PEM, or the path of a PEM file that can be read');
  }
}

function parsePublicKeys(text: string): readonly TokenKey[] {
  const pem = text.replace(/(?:\\r)?\\n/g, '\n');
  const blocks = [...pem.matchAll(BLOCK)];
  if (blocks.length === 0 || blocks.length !== pem.split('-----BEGIN').length - 1) {
    throw new KeyProblem('must be PEM with whole blocks, from BEGIN to END');
  }
  if (blocks.some(([, label = '']) => !PUBLIC.includes(label))) {
    throw new KeyProblem('must hold public keys alone, no private key and no certificate');
  }
  if (blocks.length > MAX_KEYS) throw new KeyProblem(`must hold at most ${MAX_KEYS} keys`);
  return blocks.map(([block]) => parsePublicKey(block));
}

function parsePublicKey(block: string): TokenKey {
  try {
    const key = toTokenKey(createPublicKey(block));
    if (key) return key;
  } catch {
    // said below: what OpenSSL says of it helps nobody
  }
  throw new KeyProblem('must hold RSA keys of 2048 to 8192 bits, or EC keys on P-256');
}
