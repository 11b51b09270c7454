import type { ClientRequest, IncomingMessage } from 'node:http';
import { Fault } from '#lib/fault.ts';
import type { Place } from './room.ts';

export interface Response {
  readonly status: number;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/**
 * The whole answer to a request that is being sent. Throws the error of the connection, or Fault `too_large` for a body of
 * more than `most` bytes. `place`: has the body; it is read on when there is room.
 */
export async function readResponse(
  sent: ClientRequest,
  most: number,
  place?: Pick<Place, 'add'>,
): Promise<Response> {
  return await new Promise((resolve, reject) => {
    sent.on('error', reject);
    sent.on('response', (response) => {
      const pieces: Buffer[] = [];
      let size = 0;
      response.on('data', (piece: Buffer) => {
        size += piece.length;
        pieces.push(piece);
        if (size > most) {
          reject(new Fault('too_large', `the answer has more than ${most} bytes`));
          sent.destroy();
          return;
        }
        const room = place?.add(piece.length);
        if (!room) return;
        response.pause();
        void room.then(() => response.resume());
      });
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode: status = 0, rawHeaders, headers } = response;
        resolve({ status, rawHeaders, headers, body: Buffer.concat(pieces) });
      });
      response.on('close', () => reject(new Error('the connection ended within the answer')));
    });
  });
}

/** What `Retry-After` asks for, ms; 0: nothing that is understood. Dates are not taken: clocks differ. */
export function retryAfterMs({ headers }: Pick<Response, 'headers'>): number {
  const text = headers['retry-after'] ?? '';
  return /^[0-9]{1,9}$/.test(text) ? Number(text) * 1000 : 0;
}
