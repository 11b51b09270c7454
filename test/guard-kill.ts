/**
 * Before each file: pid 0 stands for all of the process group, which is the run of the tests itself. So a process that was
 * not found fails the test that looked for it, and does not end all others without a word.
 */
const kill = process.kill.bind(process);

process.kill = (pid, signal) => {
  if (pid === 0) throw new Error('a signal to pid 0: the process that is meant was not found');
  return kill(pid, signal);
};
