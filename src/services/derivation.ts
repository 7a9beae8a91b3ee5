import { type UnboundedRepresentation } from '../streaming/response-plan';
import { type Ffmpeg } from '../adapters/ffmpeg';
import { type MetadataService } from './metadata-service';
import { type Recipe } from './production';
import { type Productions } from './productions';
import { type SelectedTrack } from './track-source';

/** What everything that is made of a track needs. */
export interface DerivationDeps {
  readonly metadata: MetadataService;
  /** undefined where none is installed: what needs it answers `ffmpeg_unavailable` */
  readonly ffmpeg: Ffmpeg | undefined;
  readonly productions: Productions;
}

/** Something that is made of a track: what HTTP says of it, and how its bytes come about. */
export interface Derivation {
  readonly representation: UnboundedRepresentation;
  /** bytes that are there at once, or how they are made when somebody asks for them */
  readonly content: Buffer | Recipe;
  /** the answer begins with the first bytes; else when the output is whole, with its length */
  readonly isStreamed?: boolean;
  /** request field that has a say in which it is, for `Vary` */
  readonly varyBy?: string;
  /**
   * What grows has neither length nor ranges, even where its length is known: whoever asked for its
   * end would wait for all of it.
   */
  readonly isUnboundedUntilWhole?: boolean;
}

/** The track as it is stored, and what is said of that choice. */
export interface StoredOriginal {
  readonly furtherFields: Readonly<Record<string, string>>;
}

/** Query and fields of a request, as far as they choose among what can be made of a track. */
export interface DerivationRequest {
  readonly query: URLSearchParams;
  /** parts of the path behind the track, by name */
  readonly params: Readonly<Record<string, string>>;
  /** value of `Accept` */
  readonly accept: string | undefined;
}

/**
 * Decides what a request asks for.
 *
 * @param selected stays open until what is made of it is over
 * @throws AppError `bad_request` for values that are not offered, and what reading the track throws
 */
export type Derive<Result = Derivation> = (
  selected: SelectedTrack,
  request: DerivationRequest,
) => Promise<Result>;
