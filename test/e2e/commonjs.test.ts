import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { call } from '#test/activator/harness.ts';
import { useTeardown } from '#test/teardown.ts';
import { ENV, makeFolder, removeFolder, startPlatform } from './platform.ts';

const teardown = useTeardown();

const MODELS: readonly [name: string, file: string, program: string, revision: string][] = [
  [
    'program',
    'server.js',
    `const http = require('node:http');
http.createServer((request, response) => response.end('served')).listen(process.argv[2]);\n`,
    "{ name: v1, runtime: command, source: ., args: [node, server.js, '${PORT}'] }",
  ],
  [
    'handler',
    'index.js',
    `const { name } = require('./package-name.js');\nmodule.exports = () => new Response(name);\n`,
    '{ name: v1, runtime: function, source: . }',
  ],
];

test('CommonJS runs although the state lies in a project of ES modules', async () => {
  const folder = await makeFolder();
  teardown(() => removeFolder(folder));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  const models = join(folder, 'models');
  for (const [name, file, program, revision] of MODELS) {
    const own = join(models, name);
    await mkdir(own, { recursive: true });
    await writeFile(join(own, file), program);
    await writeFile(join(own, 'package-name.js'), `exports.name = 'served';\n`);
    const head = `apiVersion: rouse.dev/v1alpha1\nkind: Model\nmetadata: { name: ${name} }\n`;
    await writeFile(join(own, 'model.yaml'), `${head}spec: { revision: ${revision} }\n`);
  }
  const platform = await startPlatform(folder, { env: ENV });
  teardown(() => platform.end());
  for (const [name] of MODELS) {
    const ran = await platform.rouse('apply', '-f', join(models, name, 'model.yaml'));
    expect(ran.status, ran.stdout + ran.stderr).toBe(0);
    expect(await call(platform.port, `/models/default/${name}/`)).toMatchObject({
      status: 200,
      body: 'served',
    });
  }
});
