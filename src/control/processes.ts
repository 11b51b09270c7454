/**
 * The data planes whose processes live, by the word of whoever started them: only that says that one is dead. A
 * link that broke does not.
 *
 * An id stands for one process: whoever takes its place has another. The first list names all that live when
 * control starts; a process that is in a later list only was started after control.
 */
export interface Processes {
  /** Called with each change of the list, and at once with the newest when there was one. */
  onAlive(listener: (dataPlanes: readonly string[]) => void): void;
}
