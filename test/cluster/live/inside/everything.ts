import { kubectl } from './kubectl.ts';

/** They come and go by themselves: what is said of others, and the instances of whatever is scaled. */
const FLEETING = new Set(['events', 'events.events.k8s.io', 'pods']);
const NAME = '{.kind} {.metadata.namespace}/{.metadata.name}{"\\n"}';

/** Every object of the cluster, of every kind that can be listed, as `Kind namespace/name`. */
export async function listEverything(): Promise<Set<string>> {
  const kinds = (await kubectl('api-resources', '--verbs=list', '--output=name')).split('\n');
  const lasting = kinds.filter((kind) => !FLEETING.has(kind)).join(',');
  const names = `jsonpath={range .items[*]}${NAME}{end}`;
  const listed = await kubectl('get', lasting, '--all-namespaces', `--output=${names}`);
  return new Set(listed.split('\n'));
}

/** What is in one and not in the other, as `+ name` and `- name`. */
export function compare(before: ReadonlySet<string>, now: ReadonlySet<string>): string[] {
  const more = [...now].filter((name) => !before.has(name)).map((name) => `+ ${name}`);
  const less = [...before].filter((name) => !now.has(name)).map((name) => `- ${name}`);
  return [...more, ...less];
}
