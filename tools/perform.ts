import { mistakesIn, mistakeText } from '../schemas/mistakes.ts';
import { GitError } from './git.ts';
import { denied, failed } from './outcome.ts';
import { cutOpenly } from './output.ts';
import { mayCallTool } from './policy.ts';
import type { StepCommit } from './step-commit.ts';
import type { Tool, ToolContext, ToolOutcome } from './tool.ts';
import { tools } from './tools.ts';
import type { Workspace } from './workspace.ts';

/**
 * Performs one tool call of a run. Whatever a model did wrong (no such tool, arguments that do not fit, something
 * it may not do, an edit that does not match) is an outcome for it to read. A step that changes files ends in one
 * commit under its write-once ref; where that ref is there already, nothing is done again and the outcome is the
 * one that was recorded (`adopted`).
 *
 * @throws the signal's reason when it was aborted (nothing is known of the step then); Error for faults of the
 * machine (a full disk, git gone).
 */
export async function performStep(step: {
  name: string;
  args: unknown;
  context: ToolContext;
  workspace: Workspace;
}): Promise<ToolOutcome> {
  const { name, args, context, workspace } = step;
  const { policy, signal } = context;
  signal.throwIfAborted();
  const tool = tools.find((one) => one.name === name);
  if (tool === undefined) {
    return failed(
      `There is no tool ${JSON.stringify(name)}. There are: ${policy.tools.join(', ') || 'none for this role'}.`,
    );
  }
  if (tool.effect === 'queryable') {
    const before = await adopt(context, workspace);
    if (before !== undefined) return before;
  }
  const mistakes = mistakesIn(tool.arguments, args).map((one) => mistakeText(one, 'the whole'));
  if (mistakes.length > 0) return failed(`The arguments of ${name} do not fit: ${mistakes.join('; ')}.`);
  const verdict = mayCallTool(policy, context.role, name);
  if (!verdict.allowed) return denied(verdict.reason);

  if (workspace.head() !== context.commit) await workspace.reset(context.commit);
  if (tool.changesFiles) workspace.beginChange();
  const outcome = cut(await tool.perform(args as never, context, workspace), policy.outputBytes);
  signal.throwIfAborted();
  if (!tool.changesFiles || outcome.status === 'denied') return outcome;
  return await commit(tool, args, outcome, context, workspace);
}

/** The outcome of a step that has been done already, with the worktree as it left it. */
async function adopt(context: ToolContext, workspace: Workspace): Promise<ToolOutcome | undefined> {
  const commitId = await workspace.findStep(context.stepId);
  if (commitId === undefined) return undefined;
  await workspace.reset(commitId);
  const record = await workspace.readStepRecord(context.stepId);
  const outcome: ToolOutcome =
    record === undefined
      ? { status: 'ok', output: 'Done before a restart.' }
      : (JSON.parse(record) as ToolOutcome);
  return { ...(await withDiff(outcome, context, workspace, commitId)), adopted: true };
}

async function commit(
  tool: Tool,
  args: unknown,
  outcome: ToolOutcome,
  context: ToolContext,
  workspace: Workspace,
): Promise<ToolOutcome> {
  // A tool that had to commit by itself says so.
  if (outcome.commit !== undefined) return await withDiff(outcome, context, workspace, outcome.commit);
  let step: StepCommit;
  try {
    step = await workspace.commitStep({
      stepId: context.stepId,
      message: `${tool.name} ${subjectOf(args)}`.trim(),
      parent: context.commit,
      record: JSON.stringify(outcome),
    });
  } catch (error) {
    // A program can leave what git cannot take in (a pipe in a file's place, a file without permissions). Where it
    // is git itself that is broken, the reset throws too.
    if (!(error instanceof GitError)) throw error;
    await workspace.reset(context.commit);
    const said = `What it left could not be committed and was undone: ${error.message}`;
    return { ...outcome, status: 'failed', output: `${said}\n${outcome.output}` };
  }
  if (step.adopted) return (await adopt(context, workspace))!;
  const leftOut =
    step.leftOut.length === 0
      ? ''
      : `\nNot kept, as these are git repositories of their own: ${step.leftOut.join(', ')}`;
  const whole = { ...outcome, output: outcome.output + cutOpenly(leftOut, 2000) };
  return step.changed ? await withDiff(whole, context, workspace, step.commit) : whole;
}

async function withDiff(
  outcome: ToolOutcome,
  context: ToolContext,
  workspace: Workspace,
  commitId: string,
): Promise<ToolOutcome> {
  const diff = await workspace.diff(context.commit, commitId, context.policy.outputBytes);
  return { ...outcome, commit: commitId, diff };
}

function cut(outcome: ToolOutcome, maxBytes: number): ToolOutcome {
  return { ...outcome, output: cutOpenly(outcome.output, maxBytes) };
}

/** What a step was about, for the first line of its commit. */
function subjectOf(args: unknown): string {
  const { path, argv } = args as { path?: string; argv?: string[] };
  return (path ?? argv?.join(' ') ?? '').replaceAll(/\s+/g, ' ').slice(0, 60);
}
