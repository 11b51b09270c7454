import { createHash } from 'node:crypto';
import type { Answer } from './answers.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { Plane } from '../plane.ts';
import type { Status } from '../status/status.ts';

/** A browser is held this long before it gets the page: most models wake faster. */
export const PAGE_AFTER_MS = 1000;

const SAYS: Readonly<Record<Status['state'], string>> = {
  asleep: 'asleep',
  parked: 'parked',
  starting: 'waking up',
  awake: 'awake',
  preparing: 'being prepared',
  failed: 'not able to start',
};
const AWAY = 'cannot be reached';
const UNKNOWN_WAIT = 'How long that takes is not known.';
const LAST_ATTEMPT = 'The last attempt failed: ';

const STYLE = `
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif; }
body { max-width: 32rem; margin: 20vh auto 0; padding: 0 1rem; }
h1 { font-size: 1.5rem; font-weight: 600; margin: 0 0 .5rem; overflow-wrap: anywhere; }
p { margin: 0 0 .5rem; }
progress { width: 100%; }
[hidden] { display: none; }
`;

/**
 * Follows the status of the address that the page is at, and loads it again when the model is awake. After a
 * failed start nothing is tried again by itself: that is for who looks at the page.
 */
const SCRIPT = `
const SAYS = ${JSON.stringify(SAYS)};
const RETRY_MS = 3000;
const at = (id) => document.getElementById(id);
function show(status) {
  const isFailed = status.state === 'failed';
  at('state').textContent = isFailed ? at('state').dataset.failed : 'is ' + (SAYS[status.state] ?? status.state);
  at('why').textContent = status.reason === undefined ? '' : '${LAST_ATTEMPT}' + status.reason;
  const wait = status.expectedWaitSeconds;
  at('wait').textContent = wait === null ? '${UNKNOWN_WAIT}' : 'It takes about ' + Math.max(1, Math.ceil(wait)) + ' s.';
  at('waiting').hidden = isFailed;
  at('again').hidden = !isFailed;
  return isFailed;
}
async function follow() {
  const headers = { 'Rouse-Status': 'wake', Accept: 'text/event-stream' };
  const response = await fetch(location.href, { headers, cache: 'no-store' });
  if (!response.ok) throw new Error('no status');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  let isFailed = false;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return isFailed;
    text += value;
    const events = text.split('\\n\\n');
    text = events.pop();
    for (const event of events) {
      const data = /^data: (.*)$/m.exec(event);
      if (data) isFailed = show(JSON.parse(data[1]));
    }
  }
}
follow().then(
  (isFailed) => isFailed || location.reload(),
  () => setTimeout(() => location.reload(), RETRY_MS),
);
`;

/** Nothing but the page's own style and script, and requests to where it came from. */
const POLICY = [
  "default-src 'none'",
  `script-src '${hashOf(SCRIPT)}'`,
  `style-src '${hashOf(STYLE)}'`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** What goes before the page's body beside its type. */
export const PAGE_FIELDS =
  `Content-Security-Policy: ${POLICY}\r\nCache-Control: no-store\r\n` +
  'X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nVary: Accept\r\n';

/**
 * What a browser shows while the model that was asked for wakes, or when it cannot. Without scripts it loads itself
 * again, as long as that can help. `elsewhere`: Rouse does not start it.
 */
export function makeWaitingPage(
  status: Status,
  {
    retryAfter = 1,
    elsewhere = false,
  }: { retryAfter?: number | undefined; elsewhere?: boolean } = {},
): Answer {
  const name = escape(status.model);
  const isFailed = status.state === 'failed';
  const failed = elsewhere ? AWAY : `is ${SAYS.failed}`;
  const says = isFailed ? failed : `is ${SAYS.starting}`;
  const wait = status.expectedWaitSeconds;
  const known = wait === null ? UNKNOWN_WAIT : `It takes about ${Math.max(1, Math.ceil(wait))} s.`;
  const why = status.reason === undefined ? '' : LAST_ATTEMPT + escape(status.reason);
  const refresh = `<noscript><meta http-equiv="refresh" content="${retryAfter}"></noscript>`;
  const body = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${name} ${says}</title>${isFailed ? '' : `\n${refresh}`}
<style>${STYLE}</style>
</head>
<body>
<h1>${name} <span id="state" data-failed="${failed}">${says}</span></h1>
<p id="why" role="alert">${why}</p>
<div id="waiting"${isFailed ? ' hidden' : ''}>
<p id="wait" role="status">${known}</p>
<progress aria-label="waking up"></progress>
<p>This page becomes the model's own as soon as it is there.</p>
</div>
<p id="again"${isFailed ? '' : ' hidden'}><a href="">Try again</a></p>
${isFailed ? '' : `<script>${SCRIPT}</script>\n`}</body>
</html>
`;
  return { status: 503, type: 'text/html; charset=utf-8', body };
}

/** Whether a person looks at this in a browser, and does not say how long to wait; pages are for models of ours. */
export function isForPerson(
  { rouseHold, method, fields }: RequestHead,
  plane: Pick<Plane, 'isPassThrough'>,
): boolean {
  return !plane.isPassThrough && rouseHold === '' && isNavigation(method, fields.find('accept'));
}

/** Navigations name HTML, programs take anything. */
export function isNavigation(method: string, accept: string): boolean {
  return method === 'GET' && /(?:^|,)\s*text\/html\s*(?:[;,]|$)/i.test(accept);
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
