import type { TaskSummary } from '../../../schemas/query.ts';

/** What the list of tasks is narrowed to; empty means anything. */
export interface TaskFilter {
  state: string;
  text: string;
  role: string;
  model: string;
}

export const noFilter: TaskFilter = { state: '', text: '', role: '', model: '' };

/** States that go together for a person. */
const stateGroups: Readonly<Record<string, readonly TaskSummary['state'][]>> = {
  open: ['queued', 'running', 'waiting', 'paused'],
  attention: ['waiting', 'paused', 'failed', 'rejected'],
};

export function filterTasks(tasks: readonly TaskSummary[], filter: TaskFilter): readonly TaskSummary[] {
  const states = stateGroups[filter.state] ?? (filter.state ? [filter.state] : undefined);
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!states && words.length === 0 && !filter.role && !filter.model) return tasks;
  return tasks.filter((task) => {
    if (states && !states.includes(task.state)) return false;
    if (filter.role && task.roleAtWork !== filter.role) return false;
    if (filter.model && !task.models.includes(filter.model)) return false;
    if (words.length === 0) return true;
    const text = `${task.goal} ${task.repository} ${task.taskId}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** What may be chosen, out of the tasks that there are. */
export function choicesOf(tasks: readonly TaskSummary[]): { roles: string[]; models: string[] } {
  const roles = new Set<string>();
  const models = new Set<string>();
  for (const task of tasks) {
    if (task.roleAtWork) roles.add(task.roleAtWork);
    for (const model of task.models) models.add(model);
  }
  return { roles: [...roles].sort(), models: [...models].sort() };
}
