import type { RequestReply } from '#bus/requests.ts';
import type { Answer } from './answers.ts';
import { REFUSAL_CODES, type Refusal, refusal, type RefusalCode } from '../refusal.ts';
import type { Failure, State } from './follow-request.ts';

/** An answer, and the field lines beside its type. */
export interface Told {
  readonly answer: Answer;
  readonly fields: string;
}

const NO_STORE = 'Cache-Control: no-store\r\n';
const CONTENT_TYPE = /^content-type:[ \t]*([^\r\n]*)\r\n/im;

/** The request is stored, and this says where what becomes of it is. */
export function makeAccepted({ view }: State): Told {
  const fields = `Location: ${view.location}\r\nPreference-Applied: respond-async\r\n${NO_STORE}`;
  return { answer: makeJson(202, view), fields };
}

export function makeShown({ view }: State): Told {
  return { answer: makeJson(200, view), fields: NO_STORE };
}

/** What the model answered, as it answered. */
export function makeStored(reply: Extract<RequestReply, { what: 'answer' }>): Told {
  const type = CONTENT_TYPE.exec(reply.fields)?.[1] ?? 'application/octet-stream';
  const answer = { status: reply.status, type, body: Buffer.from(reply.body, 'base64') };
  return { answer, fields: reply.fields.replace(CONTENT_TYPE, '') };
}

/** What has no code of its own among refusals could not be done now. */
export function makeRefused({ code, message, retryAfter }: Failure): Refusal {
  const known: readonly string[] = REFUSAL_CODES;
  const isKnown = (text: string): text is RefusalCode => known.includes(text);
  const options = retryAfter === undefined ? {} : { retryAfter };
  return refusal(isKnown(code) ? code : 'unavailable', message, options);
}

function makeJson(status: number, value: object): Answer {
  return { status, type: 'application/json', body: JSON.stringify(value) };
}
