/** Byte i is a function of i, so a wrong offset shows itself; the period is a prime. */
export function patternedBytes(length: number, firstPos = 0): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i += 1) bytes[i] = ((firstPos + i) * 31) % 251;
  return bytes;
}
