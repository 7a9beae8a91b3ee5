import { type Bench } from '../bench';

/** One figure of one peer; the targets look for them by name. */
export interface Figure {
  readonly peer: string;
  readonly name: string;
  readonly value: number;
}

export interface ScenarioResult {
  /** table and notes */
  readonly markdown: string;
  readonly figures: readonly Figure[];
}

/** Something that servers are asked to do, and what it costs them. */
export interface Scenario {
  /** what `--only` says */
  readonly name: string;
  readonly title: string;
  run(bench: Bench): Promise<ScenarioResult>;
}
