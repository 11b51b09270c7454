import { type Choices, INSTALLERS } from './inside/installers.ts';

/** Run in the box: prints as JSON what each installer makes of the same choices, in YAML. `argv[2]`: these, as JSON. */

const choices: Choices[] = JSON.parse(process.argv[2] ?? '[]');
const rendered: Record<string, string>[] = [];
for (const each of choices) {
  const texts = Object.entries(INSTALLERS).map(async ([how, installer]) => [
    how,
    await installer.render(each),
  ]);
  rendered.push(Object.fromEntries(await Promise.all(texts)));
}
process.stdout.write(JSON.stringify(rendered));
