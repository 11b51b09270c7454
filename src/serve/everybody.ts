/** Whoever is in the cluster may say for whom it asks: ingresses do, at addresses that nobody knows in advance. */
export const EVERYBODY: readonly string[] = ['0.0.0.0/0', '::/0'];
