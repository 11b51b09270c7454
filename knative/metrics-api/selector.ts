import { Fault } from '#lib/fault.ts';
import type { Texts } from '../api/objects.ts';

export type Selects = (labels: Texts) => boolean;

const KEY = '[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?';
const VALUE = '[A-Za-z0-9._-]*';
const EXISTS = new RegExp(`^(!?)\\s*(${KEY})$`);
const EQUALS = new RegExp(`^(${KEY})\\s*(=|==|!=)\\s*(${VALUE})$`);
const IN_SET = new RegExp(`^(${KEY})\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const BETWEEN_TERMS = /,(?![^(]*\))/;

/** A label selector of Kubernetes, such as `app=a,tier in (b, c),!d`. Throws Fault `bad_request`. */
export function parseSelector(text: string): Selects {
  if (text.trim() === '') return () => true;
  const terms = text.split(BETWEEN_TERMS).map((term) => parseTerm(term.trim()));
  return (labels) => terms.every((selects) => selects(labels));
}

function parseTerm(term: string): Selects {
  const [, isNot, present = ''] = EXISTS.exec(term) ?? [];
  if (isNot !== undefined) return (labels) => Object.hasOwn(labels, present) === (isNot === '');
  const [, key, sign = '', value = ''] = EQUALS.exec(term) ?? [];
  if (key !== undefined) return isAmong(key, [value], sign !== '!=');
  const [, name, word = '', list = ''] = IN_SET.exec(term) ?? [];
  if (name !== undefined) {
    const values = list.split(',').map((each) => each.trim());
    return isAmong(name, values, word === 'in');
  }
  throw new Fault(
    'bad_request',
    `labelSelector: found "${term}", expected terms such as app=a, app!=a, app in (a,b), app or !app`,
  );
}

/** What has no such label has no such value. */
function isAmong(key: string, values: readonly string[], isWanted: boolean): Selects {
  return (labels) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    return (value !== undefined && values.includes(value)) === isWanted;
  };
}
