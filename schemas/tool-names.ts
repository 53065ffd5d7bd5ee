/** The names of the tools there are, as the configuration may name them; a test beside the tools compares the two. */
export const toolNames = [
  'read-file',
  'list-dir',
  'search-files',
  'edit-file',
  'write-file',
  'run-program',
  'run-tests',
] as const;
