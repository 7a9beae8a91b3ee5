/**
 * How much a client wants a media type, by the most specific media range that names it.
 *
 * @param field value of `Accept`; without one everything is welcome
 * @param mediaType `type/subtype` in lower case; parameters of media ranges are not looked at
 * @returns 0 (not acceptable) to 1
 * @see RFC 9110 §12.5.1
 */
export function qualityOf(field: string | undefined, mediaType: string): number {
  if (field === undefined || field.trim() === '') return 1;
  const type = mediaType.slice(0, mediaType.indexOf('/'));
  const bySpecificity = [mediaType, `${type}/*`, '*/*'];
  let best = { rank: bySpecificity.length, quality: 0 };
  for (const element of field.split(',')) {
    const [range = '', ...parameters] = element.split(';').map((part) => part.trim());
    const rank = bySpecificity.indexOf(range.toLowerCase());
    if (rank >= 0 && rank < best.rank) best = { rank, quality: readWeight(parameters) };
  }
  return best.quality;
}

/** A weight that is none is read as if it were not there. */
function readWeight(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const weight = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i.exec(parameter)?.[1];
    if (weight !== undefined) return Number(weight);
  }
  return 1;
}
