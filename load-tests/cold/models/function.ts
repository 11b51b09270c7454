/** The smallest model in TypeScript. */
export default {
  predict: ({ x }: { x: unknown }) => ({ y: x }),
};
