import type { ShadowSpec } from '#domain/shadow.ts';
import { saysTheSame } from '#policies/shadow.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { type Budget, Copy } from './copy.ts';

/** Two of these are read as JSON in the thread that serves callers, which takes some milliseconds at most. */
const MAX_ANSWER = 128 * 1024;

/** An answer as it went by: its body is kept to be compared. */
export class Answer {
  status = 0;
  readonly body: Copy;
  private isJson = false;
  private isEncoded = false;

  constructor(budget: Budget) {
    this.body = new Copy(budget, MAX_ANSWER);
  }

  onHead({ status, fields }: ResponseHead): void {
    this.status = status;
    this.isJson = /^application\/(?:[^;]*\+)?json\b/i.test(fields.find('content-type'));
    this.isEncoded = fields.find('content-encoding') !== '';
  }

  /** How this one differs from the one that its caller got. */
  compare(
    given: Answer,
    rules: Pick<ShadowSpec, 'tolerance' | 'ignore'>,
  ): 'same' | 'status' | 'body' | 'uncompared' {
    if (this.status !== given.status) return 'status';
    const lacks = [this.body.lack, given.body.lack];
    if (lacks.includes('no_room') || lacks.every((lack) => lack === 'too_large')) {
      return 'uncompared';
    }
    if (lacks.includes('too_large')) return 'body';
    if (this.body.bytes.equals(given.body.bytes)) return 'same';
    if (this.isEncoded || given.isEncoded) return 'uncompared';
    return this.isJson && given.isJson && this.meansTheSame(given, rules) ? 'same' : 'body';
  }

  private meansTheSame(given: Answer, rules: Pick<ShadowSpec, 'tolerance' | 'ignore'>): boolean {
    try {
      return saysTheSame(parse(this.body), parse(given.body), rules);
    } catch {
      // One of them is no JSON, whatever it says.
      return false;
    }
  }
}

function parse(body: Copy): unknown {
  return JSON.parse(body.bytes.toString('utf8'));
}
