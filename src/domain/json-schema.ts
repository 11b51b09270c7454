import { z } from 'zod';

export type JsonSchema = z.core.JSONSchema.BaseSchema;

/** Of what people write, before defaults are filled in. */
export function makeJsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
}
