/** Where a person finds the work: the branch that a task's work is on. */
export const branchOf = (taskId: string): string => `switchyard/${taskId}`;
