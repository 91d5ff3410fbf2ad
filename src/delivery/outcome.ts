/** What became of the windows, since the start. */
export interface Outcome {
  readonly sent: number;
  /** Left on disk, for the next process. */
  readonly spooled: number;
  readonly lost: number;
  /** Of those the ones that the end cost. */
  readonly lostAtEnd: number;
  /** A file system does not answer, and holds a thread by that: only SIGKILL ends the process. */
  readonly isStuck: boolean;
}
