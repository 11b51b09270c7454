/** What is in one list at most. The fields belong to the list. */
export interface Linked<N> {
  previous: N | undefined;
  next: N | undefined;
}

/** A doubly linked list through the nodes themselves: entering and leaving cost the same however many there are. */
export class LinkedList<N extends Linked<N>> {
  first: N | undefined;
  last: N | undefined;

  /** Before `next`, or at the end. */
  insert(node: N, next: N | undefined): void {
    const previous = next ? next.previous : this.last;
    node.previous = previous;
    node.next = next;
    if (previous) previous.next = node;
    else this.first = node;
    if (next) next.previous = node;
    else this.last = node;
  }

  remove(node: N): void {
    if (node.previous) node.previous.next = node.next;
    else this.first = node.next;
    if (node.next) node.next.previous = node.previous;
    else this.last = node.previous;
    node.previous = undefined;
    node.next = undefined;
  }
}
