import { pickByWeight } from '#policies/traffic.ts';
import type { Destination, Dialect, ToModel, ToRequest, ToSplit, ToStatus } from '../addressing.ts';
import { findNamed } from './destination.ts';
import type { Answer } from './answers.ts';
import { makeLocalAnswer } from './metadata.ts';
import type { Downstream } from './downstream.ts';
import type { HeldBody } from './held-body.ts';
import type { HeadEdits } from '../http/head-edits.ts';
import type { Plane } from '../plane.ts';
import { type Refusal, refusal } from '../refusal.ts';
import { parsePrefer } from './wishes.ts';
import { BODY_TOO_LARGE_TO_ROUTE, NOT_JSON, STARTING, TOO_MANY_BODIES } from './refusals.ts';
import type { ModelRoute, RevisionRoute } from '../routes.ts';
import { chooseRevision } from './split.ts';

const NO_ROW = refusal('not_found', 'The split of this address leads nowhere.');

/** Where a request goes; exactly one of these is told of each, or a refusal. */
export interface RouterEvents {
  onRouted(route: RevisionRoute): void;
  /** It is answered here. `fields`: more field lines, or ''. */
  onLocalAnswer(answer: Answer, fields: string): void;
  onStatusAsked(asked: ToStatus): void;
  onRequestAsked(asked: ToRequest): void;
  /** Its caller does not wait for the answer. */
  onLater(model: ModelRoute): void;
  onRefusal(refusal: Refusal): void;
}

/**
 * Finds the revision for the requests of one connection: by their heads, or by the body where only that names the
 * model. Callers send the same head again and again: it leads to the same place as long as the routing state is
 * the same.
 */
export class Router {
  /** What goes to the instance as its target. */
  path = '';
  /** What its way changes in the head. */
  edits: HeadEdits | undefined;
  /** A Set-Cookie line for the response, or ''. */
  setCookie = '';
  /** The caller has named the revision. */
  isNamed = false;
  /** How the caller is told of a refusal. */
  dialect: Dialect = 'problem';
  private readonly downstream: Downstream;
  private readonly plane: Plane;
  private readonly body: HeldBody;
  private readonly events: RouterEvents;
  /** Where the last head led, by the routing state of `knownVersion`. */
  private known: ToModel | ToSplit | undefined;
  private knownVersion = 0;

  constructor(downstream: Downstream, plane: Plane, body: HeldBody, events: RouterEvents) {
    this.downstream = downstream;
    this.plane = plane;
    this.body = body;
    this.events = events;
  }

  /** `repeated`: the head is the one before. */
  begin(repeated: boolean): void {
    const { plane, known } = this;
    this.setCookie = '';
    this.isNamed = false;
    if (repeated && known && this.knownVersion === plane.routes.version) this.goOn(known);
    else if (plane.routes.isKnown) this.find(plane);
    else this.events.onRefusal(STARTING);
  }

  private find({ addressing, routes }: Plane): void {
    const { head, peer } = this.downstream;
    const destination = addressing(head, routes, peer);
    const { kind } = destination;
    this.known = kind === 'model' || kind === 'split' ? destination : undefined;
    this.knownVersion = routes.version;
    this.follow(destination);
  }

  private follow(destination: Destination): void {
    switch (destination.kind) {
      case 'unknown':
        this.dialect = destination.dialect;
        this.events.onRefusal(refusal('not_found', destination.detail));
        break;
      case 'local':
        this.events.onLocalAnswer(makeLocalAnswer(destination, this.plane), '');
        break;
      case 'answer':
        this.events.onLocalAnswer(destination, destination.fields);
        break;
      case 'status':
        this.events.onStatusAsked(destination);
        break;
      case 'request':
        this.events.onRequestAsked(destination);
        break;
      case 'body':
        this.dialect = 'openai';
        if (this.readBody()) this.onBodyEnd();
        break;
      case 'split':
      case 'model':
        this.dialect = destination.dialect;
        this.path = destination.path;
        this.goOn(destination);
    }
  }

  private goOn(destination: ToModel | ToSplit): void {
    if (destination.kind === 'split') this.split(destination);
    else {
      this.edits = destination.edits;
      this.toModel(destination.model, destination.revision, destination.tag);
    }
  }

  private split({ rows, weights, credit }: ToSplit): void {
    const row = rows[pickByWeight(weights, credit)];
    const model = row && this.plane.routes.models.get(row.model);
    if (!model) {
      this.events.onRefusal(NO_ROW);
      return;
    }
    this.edits = row.edits;
    this.toModel(model, '', undefined);
  }

  private toModel(model: ModelRoute, revision: string, tag: string | undefined): void {
    const { plane, events } = this;
    if (this.isForLater()) {
      events.onLater(model);
      return;
    }
    const picked = revision === '' && tag === undefined && plane.routes.pickPlain(model);
    if (picked) {
      events.onRouted(picked);
      return;
    }
    this.isNamed = revision !== '';
    const choice = chooseRevision(plane, model, revision, tag, this.downstream.head.fields);
    if ('detail' in choice) {
      events.onRefusal(choice);
      return;
    }
    this.setCookie = choice.setCookie;
    events.onRouted(choice.route);
  }

  /** A preference that cannot be met is none. */
  private isForLater(): boolean {
    const { head, isGrpc } = this.downstream;
    if (head.prefer === '' || isGrpc || head.upgrade !== '' || this.plane.isPassThrough)
      return false;
    return parsePrefer(head.prefer).isAsync;
  }

  /** All of it is read before the request goes on. True: it is there already. */
  readBody(): boolean {
    const { body, downstream, events } = this;
    if (!body.startCounting(undefined)) events.onRefusal(TOO_MANY_BODIES);
    else if (body.isTooLargeToRoute) events.onRefusal(BODY_TOO_LARGE_TO_ROUTE);
    else if (downstream.bodyDone) return true;
    else {
      downstream.resume();
      downstream.askForBody();
    }
    return false;
  }

  /** The body that names the model is there as a whole. */
  onBodyEnd(): void {
    const { downstream, plane, body } = this;
    let name: unknown;
    try {
      name = body.findModel();
    } catch {
      this.events.onRefusal(NOT_JSON);
      return;
    }
    body.stopCounting();
    this.follow(findNamed(name, downstream.head.target, plane.routes));
  }
}
