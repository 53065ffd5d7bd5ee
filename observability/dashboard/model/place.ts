/** What is shown, as the address names it: `#/task/<id>/router`. */
export type Place = { view: 'tasks' } | { view: 'mesh' } | { view: 'task'; taskId: string; tab: TaskTab };

export const taskTabs = ['waterfall', 'conversation', 'router', 'change'] as const;
export type TaskTab = (typeof taskTabs)[number];

export function placeOf(hash: string): Place {
  const [view, taskId, tab] = hash.replace(/^#\/?/, '').split('/');
  if (view === 'mesh') return { view };
  if (view === 'task' && taskId)
    return { view, taskId, tab: taskTabs.find((one) => one === tab) ?? 'waterfall' };
  return { view: 'tasks' };
}

export function hashOf(place: Place): string {
  if (place.view !== 'task') return `#/${place.view}`;
  return `#/task/${place.taskId}${place.tab === 'waterfall' ? '' : `/${place.tab}`}`;
}
