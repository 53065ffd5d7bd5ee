import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One text for the contents of these files, named from the root; another if any differs, is missing or is new. */
export function digestOf(root, files) {
  const digest = createHash('sha256');
  for (const file of files.toSorted())
    digest
      .update(file)
      .update('\0')
      .update(readFileSync(join(root, file)))
      .update('\0');
  return digest.digest('hex').slice(0, 16);
}
