export interface Dimension {
  readonly Name: string;
  readonly Value: string;
}

/** What all datums of this process have in common. */
export interface Publication {
  readonly namespace: string;
  readonly dimensions: readonly Dimension[];
  /** Windows shorter than a minute are stored by the second. */
  readonly highResolution: boolean;
}
