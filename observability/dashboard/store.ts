import { advanceYard, emptyYard, type Action, type Yard } from './model/yard.ts';

/** Holds what the page knows and tells who watches, at most once a frame. */
export interface Store {
  yard(): Yard;
  dispatch(action: Action): void;
  subscribe(watcher: () => void): () => void;
}

/** `later` runs what is given before the next picture is drawn. */
export function openStore(later: (work: () => void) => void): Store {
  let yard = emptyYard;
  let isDue = false;
  const watchers = new Set<() => void>();
  return {
    yard: () => yard,
    dispatch(action) {
      const after = advanceYard(yard, action);
      if (after === yard) return;
      yard = after;
      if (isDue) return;
      isDue = true;
      later(() => {
        isDue = false;
        for (const watcher of watchers) watcher();
      });
    },
    subscribe(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
}
