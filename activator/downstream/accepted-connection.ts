/** A caller's connection, whatever it speaks, as the data plane keeps it. */
export interface AcceptedConnection {
  /** Time passes: looks at its deadlines. */
  sweep(now: number): void;
  /** Takes nothing new, ends when what runs has been answered. */
  beginClose(): void;
  /** Ends now, in the middle of whatever runs. */
  cut(): void;
}
