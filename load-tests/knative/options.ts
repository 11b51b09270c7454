/** How much is measured; given to what runs in the box of the cluster as JSON. */
export interface Extent {
  /** Of wrk: absolute, for it runs in the box. */
  readonly wrk: string;
  /** Turns of the warm path, and how long each one takes. */
  readonly rounds: number;
  readonly seconds: number;
  /** Of each activator, over so many sleeping services. */
  readonly wakes: number;
  readonly services: number;
  readonly held: number;
}
