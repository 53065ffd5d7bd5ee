import type { Repository } from '../../schemas/work.ts';
import { inspectRepository } from '../../tools/repository.ts';

/** Looks at the repository that a request names: what a task would start from, or why it cannot. */
export async function inspect(path: string, roots: string[]): Promise<Repository | { problem: string }> {
  const facts = await inspectRepository(path, { roots });
  if (facts.reason || !facts.realPath || !facts.headCommit)
    return { problem: facts.reason ?? `${path} cannot be worked on` };
  return {
    path: facts.realPath,
    baseCommit: facts.headCommit,
    branch: facts.branch ?? 'HEAD',
    uncommittedFiles: facts.uncommittedFiles,
  };
}
