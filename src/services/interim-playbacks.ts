import { type Grant, type NewPlayback, type Playbacks } from './playback';

/** Playbacks of this process alone: a stand-in until there is more. */
export function createInterimPlaybacks(now: () => number): Playbacks {
  const known = new Map<string, { grant: NewPlayback; endsAtMs: number; isEnded: boolean }>();
  const attended = new Map<string, Set<() => void>>();
  const find = (trackId: string, id: string, subject: string) => {
    const found = known.get(id);
    return found?.grant.trackId === trackId && found.grant.subject === subject ? found : undefined;
  };
  return {
    begin(grant) {
      known.set(grant.id, { grant, endsAtMs: grant.signedEndSeconds * 1000, isEnded: false });
      return Promise.resolve();
    },
    isOpen({ id, signedEndSeconds }: Grant) {
      const { endsAtMs, isEnded } = known.get(id) ?? {};
      return Promise.resolve(!isEnded && now() < (endsAtMs ?? signedEndSeconds * 1000));
    },
    attend({ id }, onEnded) {
      const listeners = attended.get(id) ?? new Set();
      attended.set(id, listeners.add(onEnded));
      return { release: () => listeners.delete(onEnded) };
    },
    extend(trackId, id, subject) {
      const found = find(trackId, id, subject);
      if (!found || found.isEnded) return Promise.resolve(undefined);
      found.endsAtMs += 3_600_000;
      return Promise.resolve(found.endsAtMs);
    },
    end(trackId, id, subject) {
      const found = find(trackId, id, subject);
      if (found) found.isEnded = true;
      for (const listener of [...(found ? (attended.get(id) ?? []) : [])]) listener();
      return Promise.resolve(found !== undefined);
    },
    report: () => Promise.resolve(undefined),
  };
}
