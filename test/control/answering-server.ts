import { createServer, type RequestListener } from 'node:http';
import { listening } from '#test/listening.ts';

/** A server that control asks, until the test has ended; gives its address. */
export async function serveAnswers(
  answer: RequestListener,
  teardown: (end: () => unknown) => void,
): Promise<string> {
  const server = createServer(answer);
  const port = await listening(server);
  teardown(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
  return `http://127.0.0.1:${port}`;
}
