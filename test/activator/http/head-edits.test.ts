import { describe, expect, test } from 'vitest';
import { makeHeadEdits } from '#activator/http/head-edits.ts';
import { RequestHead } from '#activator/http/request-head.ts';

const HEAD =
  'GET / HTTP/1.1\r\nHost: a\r\nX-Set: theirs\r\nx_set: theirs\r\nGone: 1\r\nKept: 1\r\n\r\n';

function forward(edits?: ReturnType<typeof makeHeadEdits>): string {
  const head = new RequestHead();
  expect(head.read(HEAD)).toBeUndefined();
  head.cutForWay(edits?.cut);
  return head.forwardHead('/', 'a') + (edits?.lines ?? '');
}

describe('what a way changes in a head', () => {
  test('replaces what is set, whatever its case or its underscores, and cuts what is removed', () => {
    const edits = makeHeadEdits({ set: { 'X-Set': 'ours', New: '' }, remove: ['GONE'] });
    expect(forward(edits)).toBe('GET / HTTP/1.1\r\nHost: a\r\nKept: 1\r\nX-Set: ours\r\nNew: \r\n');
  });

  test('the same head by another way, and by none', () => {
    const head = new RequestHead();
    head.read(HEAD);
    head.cutForWay(makeHeadEdits({ remove: ['gone'] }).cut);
    expect(head.forwardHead('/', 'a')).not.toContain('Gone');
    head.cutForWay(makeHeadEdits({ remove: ['kept'] }).cut);
    expect(head.forwardHead('/', 'a')).toContain('Gone: 1\r\n');
    head.cutForWay(undefined);
    expect(head.forwardHead('/', 'a')).toContain('Kept: 1\r\n');
  });

  test('the next head is not changed by what was said for the one before', () => {
    const head = new RequestHead();
    head.read(HEAD);
    head.cutForWay(makeHeadEdits({ remove: ['gone'] }).cut);
    head.read(HEAD);
    expect(head.forwardHead('/', 'a')).toContain('Gone: 1\r\n');
  });

  test.each([
    [{ set: { 'a b': '1' } }, /"a b" is no name/],
    [{ set: { '': '1' } }, /"" is no name/],
    [{ remove: ['ä'] }, /is no name/],
    [{ set: { a: '1\r\nb: 2' } }, /Header a cannot have the value/],
    [{ set: { a: ' 1' } }, /Header a cannot have the value/],
    [{ set: { a: '€' } }, /Header a cannot have the value/],
    [{ host: 'a\nb' }, /Header host cannot have the value/],
    [{ set: { Host: 'b' } }, /written anew at each hop/],
    [{ set: { 'Transfer-Encoding': 'chunked' } }, /written anew at each hop/],
    [{ remove: ['Content-Length'] }, /written anew at each hop/],
  ])('%o is refused', (change, message) => {
    expect(() => makeHeadEdits(change)).toThrow(message);
  });
});
