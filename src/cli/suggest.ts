import { DEFAULT_NAMESPACE } from '#domain/names.ts';
import { quote, ROUSE } from '#lib/command.ts';
import { DEFAULT_SERVER } from './options.ts';

/** A command to paste, for the same server and namespace as the one that suggests it. */
export function suggest(
  words: readonly string[],
  { server, namespace }: { readonly server: string; readonly namespace: string },
): string {
  return [
    ROUSE,
    ...words.map(quote),
    ...(namespace === DEFAULT_NAMESPACE ? [] : ['-n', quote(namespace)]),
    ...(server === DEFAULT_SERVER ? [] : ['--server', quote(server)]),
  ].join(' ');
}
