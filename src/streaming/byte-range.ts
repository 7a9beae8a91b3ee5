/** Positions of the first and the last byte, both inclusive (RFC 9110 §14.1.2). */
export interface ByteRange {
  readonly firstPos: number;
  readonly lastPos: number;
}
