/** The containers of the library, by the names the metadata answers with. */
export type AudioFormat =
  'mp3' | 'flac' | 'mp4' | 'aac' | 'ogg' | 'wav' | 'aiff' | 'webm' | 'wma';
