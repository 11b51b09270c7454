import type { Manifest } from './files.ts';

/** What Kubernetes asks a role for, and what a role says to it. */

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** One thing that is done: as Kubernetes sees it before it looks for a rule. */
export interface Deed {
  readonly verb: string;
  readonly group: string;
  /** With its subresource: `pods/log`. */
  readonly resource: string;
  readonly name: string;
}

const PATH =
  /^\/(?:api\/v1|apis\/([^/]+)\/[^/]+)(?:\/namespaces\/[^/]+)?\/([a-z]+)(?:\/([^/]+))?(?:\/([a-z]+))?$/;

/** What a request to the API server asks for. To apply what may not be there is to patch it and to create it. */
export function deedsOf({ method, path }: { method: string; path: string }): Deed[] {
  const url = new URL(path, 'https://api.test');
  const [, group = '', plural = '', name = '', subresource] = PATH.exec(url.pathname) ?? [];
  const resource = subresource === undefined ? plural : `${plural}/${subresource}`;
  return verbsOf(method, name, url.searchParams).map((verb) => ({ verb, group, resource, name }));
}

function verbsOf(method: string, name: string, query: URLSearchParams): string[] {
  if (method === 'PATCH') return query.has('force') ? ['patch', 'create'] : ['patch'];
  if (method === 'DELETE') return ['delete'];
  if (method === 'POST') return ['create'];
  if (method === 'PUT') return ['update'];
  if (query.get('watch') === 'true') return ['watch'];
  return [name === '' ? 'list' : 'get'];
}

export function isAllowed(rules: readonly Rule[], deed: Deed): boolean {
  return rules.some(
    ({ apiGroups, resources, resourceNames, verbs }) =>
      verbs.includes(deed.verb) &&
      apiGroups.includes(deed.group) &&
      resources.includes(deed.resource) &&
      (resourceNames?.includes(deed.name) ?? true),
  );
}

/** Each thing that the rules allow, as `verb resource.group`. */
export function grantsOf(rules: readonly Rule[]): string[] {
  return rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => nameOf({ verb, group, resource }))),
    ),
  );
}

export function nameOf({ verb, group, resource }: Omit<Deed, 'name'>): string {
  return `${verb} ${resource}${group === '' ? '' : `.${group}`}`;
}

/** The rules of one role among these objects. */
export function rulesOf(manifests: readonly Manifest[], kind: string, name: string): Rule[] {
  const role = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (!role) throw new Error(`there is no ${kind} ${name}`);
  return role['rules'] as Rule[];
}
