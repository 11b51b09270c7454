/**
 * Prints what was skipped in a report of vitest, and as the last line `N passed, N failed`.
 * A test with "(needs <program>)" in its name that was skipped here would never run anywhere: it has failed.
 */
const { readFileSync } = require('node:fs');

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const tests = report.testResults.flatMap((file) => file.assertionResults);
const skipped = tests.filter(({ status }) => status !== 'passed' && status !== 'failed');
for (const { fullName, status } of skipped) console.log(`${status}: ${fullName}`);
const needed = skipped.filter(({ fullName }) => fullName.includes('(needs '));

const passed = tests.filter(({ status }) => status === 'passed').length;
const failed = tests.filter(({ status }) => status === 'failed').length;
// A file that cannot be loaded fails without a test of its own.
const broken = report.testResults.filter(
  (file) => file.status === 'failed' && file.assertionResults.every((t) => t.status !== 'failed'),
);
for (const { name, message } of broken) console.log(`failed: ${name}: ${message}`);
const failures = failed + broken.length + needed.length;
console.log(`${passed} passed, ${failures} failed`);
process.exitCode = report.success && failures === 0 && passed > 0 ? 0 : 1;
