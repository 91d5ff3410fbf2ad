/** A terminal that a screen may be drawn on. */
export interface Terminal {
  /** By its locale: else ASCII alone. */
  readonly isUtf8: boolean;
  readonly hasColor: boolean;
  /** The log's lines go to it as well. */
  readonly isLogs: boolean;
  /** As it is now. */
  readonly size: () => Size;
  readonly write: (text: string) => void;
  /** Takes what is drawn on it, to tell it when to draw again, to give way, to end. */
  readonly attach: (drawn: Drawn) => void;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** What is drawn on a terminal. */
export interface Drawn {
  /** Draws it again, as after a change of the terminal's size. */
  readonly draw: () => void;
  /** Puts a line of the log, or several, above it. @returns false where it has ended */
  readonly line: (text: string) => boolean;
  /** Gives the cursor back and leaves what is drawn; the next drawing begins below. */
  readonly pause: () => void;
  /** For ever. */
  readonly close: () => void;
}
