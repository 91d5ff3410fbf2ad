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

/** What the console relates metrics to: a service or a resource. */
export interface Entity {
  /** Type with Name and Environment, or with ResourceType and Identifier. */
  readonly keys: Readonly<Record<string, string>>;
  readonly attributes: Readonly<Record<string, string>>;
}
