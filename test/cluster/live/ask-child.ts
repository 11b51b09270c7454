/** Run in the box: asks an address with headers that are given as JSON, and prints status and body as JSON. */

const [, , address = '', headers = '{}'] = process.argv;
const response = await fetch(address, {
  headers: JSON.parse(headers),
  // Waking a revision takes seconds.
  signal: AbortSignal.timeout(120_000),
});
process.stdout.write(JSON.stringify({ status: response.status, body: await response.text() }));
