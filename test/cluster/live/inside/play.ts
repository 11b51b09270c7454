/** Runs the scenario that the command line names, and prints as JSON what it saw. */
export async function playNamed(
  scenarios: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<void> {
  const scenario = scenarios[process.argv[2] ?? ''];
  if (!scenario) throw new Error(`no scenario ${process.argv[2]}`);
  process.stdout.write(JSON.stringify(await scenario()));
}
