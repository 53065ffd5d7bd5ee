import type { Client } from '../bus/client.ts';
import type { Launcher } from '../bus/launcher.ts';
import { demoGoal, demoSource, demoTest, type DemoFault } from './demo.ts';
import { codeAfterKill, killHeldCoder } from './demo-kill.ts';
import { followTask } from './follow.ts';
import type { Output } from './output.ts';
import type { UpOptions } from './up-options.ts';

export interface FirstTask {
  options: UpOptions;
  isDemo: boolean;
  repository: string;
  requestId: string;
  client: Client;
  launcher: Launcher;
  /** Where the demo kills its own coder. */
  fault: DemoFault | undefined;
  output: Output;
}

/** Submits the task that `up` was started for and follows it; resolves with the exit code that its end means. */
export async function runFirstTask(task: FirstTask): Promise<number> {
  const { options, isDemo, repository, client, launcher, fault, output } = task;
  const asked = isDemo
    ? { goal: demoGoal, repository, test: demoTest }
    : {
        repository,
        ...(options.goal ? { goal: options.goal } : {}),
        ...(options.test ? { test: options.test } : {}),
        ...(options.setup ? { setup: options.setup } : {}),
        plan: options.plan ? ('planner' as const) : ('single' as const),
        ...(options.unattended ? { unattended: true } : {}),
      };
  const say = (line: string) => output.progress(line);
  const isKillShown =
    fault &&
    killHeldCoder({ launcher, client, fault, say }).then(
      () => true,
      (error: unknown) => {
        say(`the demo could not kill its coder: ${error instanceof Error ? error.message : String(error)}`);
        return false;
      },
    );
  const { taskId } = await client.request('task.submit', asked, {
    source: isDemo ? demoSource : '/switchyard/up',
    id: task.requestId,
  });
  const code = await followTask(client, taskId, { output });
  return isKillShown ? codeAfterKill(code, isKillShown, say) : code;
}
