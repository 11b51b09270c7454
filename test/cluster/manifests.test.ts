import { expect, test } from 'vitest';
import { nameImages, splitPhases } from './manifests.ts';

test('definitions and namespaces come first, in their order; comments are left out', () => {
  const files = [
    '# Copyright\n\n---\nkind: Service\nname: a\n---\nkind: CustomResourceDefinition\nname: b\n',
    'apiVersion: v1\nkind: Namespace\nname: c\n--- # more\nkind: ConfigMap\ndata:\n  kind: Namespace\n',
  ];
  expect(splitPhases(files)).toEqual({
    first:
      '---\nkind: CustomResourceDefinition\nname: b\n---\napiVersion: v1\nkind: Namespace\nname: c\n',
    rest: '---\nkind: Service\nname: a\n---\nkind: ConfigMap\ndata:\n  kind: Namespace\n',
  });
});

test('a package to build becomes the image that was built from it', () => {
  const text = 'image: ko://knative.dev/serving/cmd/queue\nother: ko://a.b/c/autoscaler-hpa # d';
  expect(nameImages(text)).toBe(
    'image: dev.local/queue:v1\nother: dev.local/autoscaler-hpa:v1 # d',
  );
});
