import { testRuntime } from './conformance.ts';
import { createFakeHarness } from './fake-harness.ts';

testRuntime('fake', async () => createFakeHarness());
