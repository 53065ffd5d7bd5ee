import type { Obstacle } from './path.ts';
import type { ToolOutcome } from './tool.ts';

export const failed = (output: string): ToolOutcome => ({ status: 'failed', output });
export const denied = (output: string): ToolOutcome => ({ status: 'denied', output });

/** An obstacle on a path as an answer: what a rule refuses is `denied`, the rest `failed`. */
export const blocked = (obstacle: Obstacle): ToolOutcome =>
  obstacle.kind === 'refused' ? denied(obstacle.reason) : failed(obstacle.reason);
