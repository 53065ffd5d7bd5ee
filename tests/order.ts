import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Beginnings of the paths whose tests take longest. */
const longest = [
  'tests/protocol-model/',
  'tests/',
  'setup/',
  'bus/debian-package',
  'cli/',
  'agents/manager/workflow',
];

/** What takes longest starts first, so that no worker ends alone with it. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = (file: TestSpecification) => {
      const path = file.moduleId.slice(file.project.config.root.length + 1);
      const index = longest.findIndex((start) => path.startsWith(start));
      return index < 0 ? longest.length : index;
    };
    return (await super.sort(files)).toSorted((left, right) => rank(left) - rank(right));
  }
}
