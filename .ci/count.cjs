/**
 * Prints what was skipped in reports of vitest, and as the last line `N passed, N failed`. A report that is not there has
 * failed.
 * A test with "(needs <program>)" in its name that was skipped here would never run anywhere: it has failed.
 */
const { existsSync, readFileSync } = require('node:fs');

const paths = process.argv.slice(2);
const missing = paths.filter((path) => !existsSync(path));
for (const path of missing) console.log(`failed: no report ${path}`);
const reports = paths
  .filter((path) => !missing.includes(path))
  .map((path) => JSON.parse(readFileSync(path, 'utf8')));
const files = reports.flatMap(({ testResults }) => testResults);
const tests = files.flatMap((file) => file.assertionResults);
const skipped = tests.filter(({ status }) => status !== 'passed' && status !== 'failed');
for (const { fullName, status } of skipped) console.log(`${status}: ${fullName}`);
const needed = skipped.filter(({ fullName }) => fullName.includes('(needs '));

const passed = tests.filter(({ status }) => status === 'passed').length;
const failed = tests.filter(({ status }) => status === 'failed').length;
// A file that cannot be loaded fails without a test of its own.
const broken = files.filter(
  (file) => file.status === 'failed' && file.assertionResults.every((t) => t.status !== 'failed'),
);
for (const { name, message } of broken) console.log(`failed: ${name}: ${message}`);
const failures = failed + broken.length + needed.length + missing.length;
console.log(`${passed} passed, ${failures} failed`);
const isWell = reports.every(({ success }) => success) && failures === 0 && passed > 0;
process.exitCode = isWell ? 0 : 1;
