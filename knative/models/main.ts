import { writeFileSync } from 'node:fs';
import { formatYaml } from '#lib/yaml.ts';
import { makeModelCrd } from './crd.ts';

/** `npm run crd`: writes the definition of Models for the install. */

const FILE = new URL('../install/models/definition.yaml', import.meta.url);

writeFileSync(
  FILE,
  `# Made by "npm run crd" from src/domain/model.ts.\n${formatYaml(makeModelCrd())}`,
);
