/** Where events come from: a mesh, or a recording. */
export interface Source {
  kind: 'live' | 'demo';
  /** Brings all events of a task, and keeps them coming. */
  openTask(taskId: string): void;
  stop(): void;
}
