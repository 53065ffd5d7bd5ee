import { ownFiles, textOf } from '../tree.ts';

/** Everything that a person may be told: our sources without their comments. */
export const sources = ownFiles(
  '{agents,bus,cli,config,gpu-worker,inference,observability,replay,schemas,setup}/**/*.{ts,mjs}',
)
  .filter((path) => !path.endsWith('.test.ts'))
  .map((path) => textOf(path).replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, ''))
  // A text that the formatter broke is one text.
  .map((text) => text.replaceAll(/['`] \+\s*['`]/g, ''))
  .join('\n');
