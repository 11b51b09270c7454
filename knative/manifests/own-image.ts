/** How containers of Rouse's own image run; what users bring runs as given. */

/** The image's user and its group, as `image/system.ts` has them. */
export const USER = 65532;
/** The image needs nothing else. */
export const CONFINED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};
