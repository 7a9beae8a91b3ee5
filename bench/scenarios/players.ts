import { checkMetadata, checkTrack } from '../check-answers';
import { measureRounds } from '../measure-rounds';
import { measurePlayers } from '../player-mix';
import { type Scenario } from './scenario';

const PLAYERS = 32;

/** What a day looks like, in short: start, leave the first answer, read on, seek, skip. */
export const players: Scenario = {
  name: 'players',
  title: `Player mix: ${PLAYERS} players that start, read on, seek and skip in a library`,
  run(bench) {
    const { dir, tracks } = bench.libraries.collection();
    const [checked] = tracks;
    if (!checked) throw new Error('the library is empty');
    const entries = bench.peers.map((peer) => ({
      peer,
      libraryDir: dir,
      check: async (running: Parameters<typeof checkTrack>[0]) => {
        await checkTrack(running, dir, checked);
        if (peer.metadataPathOf) await checkMetadata(running, checked);
      },
      measure: (running: Parameters<typeof checkTrack>[0], seconds: number) =>
        measurePlayers(running, { tracks, players: PLAYERS, seconds }),
    }));
    return measureRounds(bench, entries, [
      'a player asks for metadata where the peer has any, opens `bytes=0-`, leaves after 256 KiB, reads on in three ranges of 64 KiB to 1 MiB, seeks twice, and takes another track (Zipf)',
      'the players are one Node process, so nginx is limited by them: compare CPU us/req',
    ]);
  },
};
