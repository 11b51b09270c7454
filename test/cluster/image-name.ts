/**
 * The name under which a program is an image. Knative looks up no digest for images of `dev.local`; with a tag other
 * than `latest` kubelet never asks a registry.
 */
export function imageName(program: string): string {
  return `dev.local/${program}:v1`;
}
