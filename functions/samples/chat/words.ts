/**
 * A toy in place of a language model: a chain of words, each chosen among those that follow the last two in the
 * text below. The same question gives the same answer.
 */
const TEXT = `
A model that sleeps costs nothing. A model that wakes answers the first request and then the next one.
The first request waits for the model to wake and the next one does not wait at all.
When nobody calls the model it goes to sleep again and the memory is free for another model.
You ask a question and the words come one by one because the answer is streamed to you.
I am a small chain of words and not a large model so please do not believe what I say.
Every word that I say follows two words that somebody wrote down before and that is all I know.
The queue is fair and the first request is the first to be answered when the model is awake.
If you wait a minute the model is asleep again and the next request will wake it once more.
A canary is a new model that gets a small part of the requests until you trust it with all of them.
It is good to know that a small model can answer you and that a large one would do the same.
`;

const words = TEXT.trim().split(/\s+/);
const followers = new Map<string, string[]>();
for (let at = 0; at + 2 < words.length; at++) {
  const pair = `${words[at]} ${words[at + 1]}`;
  followers.set(pair, [...(followers.get(pair) ?? []), words[at + 2] ?? '']);
}
const starts = words.flatMap((word, at) =>
  at === 0 || words[at - 1]?.endsWith('.') ? [`${word} ${words[at + 1]}`] : [],
);

/** Yields words, each with the space before it, until a sentence ends and enough was said. */
export function* speak(question: string, limit: number): Generator<string, 'stop' | 'length'> {
  const roll = dice(question);
  let pair = starts[roll(starts.length)] ?? '';
  let [last = '', current = ''] = pair.split(' ');
  yield last;
  for (let said = 1; said < limit; said++) {
    yield ` ${current}`;
    if (current.endsWith('.') && said >= 12) return 'stop';
    const next = followers.get(pair);
    if (!next) return 'stop';
    [last, current] = [current, next[roll(next.length)] ?? ''];
    pair = `${last} ${current}`;
  }
  return 'length';
}

/** A small generator of numbers (mulberry32), begun from the text. */
function dice(text: string): (sides: number) => number {
  let state = 0;
  for (const letter of text) state = (Math.imul(state, 31) + (letter.codePointAt(0) ?? 0)) | 0;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % Math.max(1, sides);
  };
}
