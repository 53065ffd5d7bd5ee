import { existsSync } from 'node:fs';
import { parseCommandLine } from '../schemas/command-line.ts';
import type { AgentRole } from '../schemas/row.ts';
import type { Outcome, ToolStep } from '../schemas/run.ts';
import { censorText } from '../schemas/secrets.ts';
import type { ActContext, Artifacts } from '../schemas/service.ts';
import { advanceBranch, publishBranch } from '../tools/branch.ts';
import { bringCommit, keepRepository, keepSnapshot, NotHereError } from '../tools/carry.ts';
import { performStep } from '../tools/perform.ts';
import { findBubblewrap, probeSandbox } from '../tools/sandbox.ts';
import type { Sandbox, ToolContext, ToolPolicy } from '../tools/tool.ts';
import { effectOf, toolDescriptions, tools } from '../tools/tools.ts';
import { openPool, type Workspace } from '../tools/workspace.ts';
import type { ToolText } from './owed.ts';
import type { AgentDefinition } from './role.ts';
import type { RunFacts } from './run.ts';
import { isOpening, openingTool, testsTool, type Run } from './run-state.ts';

/** The hands of one agent process: it performs declared steps in worktrees, and nothing else touches one. */
export interface Hands {
  facts: RunFacts;
  sandbox: Sandbox;
  descriptions: ToolText[];
  perform(run: Run, context: ActContext): Promise<Outcome>;
  /**
   * Moves the branch of a task after its stored commits, here and, on the host that has it, in the user's repository;
   * forward only.
   */
  followBranch(follow: { repository: string; taskId: string; commit: string }): Promise<void>;
  close(): Promise<void>;
}

export interface HandsOptions {
  stateDirectory: string;
  process: string;
  definition: AgentDefinition;
  /** The operator's rules, as `tools` in switchyard.yaml. */
  tools: Pick<ToolPolicy, 'withoutSandbox' | 'timeoutMs' | 'outputBytes' | 'protect'> & {
    perRole?: Partial<Record<AgentRole, { tools: string[] }>>;
  };
  programs: string[][];
  /** Path of bubblewrap, where the launcher found or fetched it. */
  bubblewrap?: string | undefined;
  path?: string | undefined;
  /** By which runs go on at other hosts. */
  artifacts: Artifacts;
  /** Says what a person should know and no run does. */
  say(text: string): void;
}

/** How often a run's first step is tried, by whichever process, before a host that lacks the repository ends the run. */
const mostOpenings = 3;

export async function openHands(options: HandsOptions): Promise<Hands> {
  const { stateDirectory, definition, artifacts, say } = options;
  const found = findBubblewrap({ explicit: options.bubblewrap, path: options.path });
  const sandbox = await probeSandbox(found.bwrap);
  const pool = await openPool({ stateDirectory, instance: options.process });
  const policy = policyOf(definition, options);
  const programEffect = sandbox.level === 'bubblewrap' ? 'idempotent' : 'opaque';
  const runsPrograms = new Set(tools.filter((tool) => tool.runsPrograms).map((tool) => tool.name));
  const effects: RunFacts['effects'] = Object.fromEntries(
    tools.map((tool) => [tool.name, effectOf(tool.name, sandbox.level)]),
  );
  effects[openingTool] = definition.opening === 'baseline' ? programEffect : 'idempotent';

  async function withWorkspace<Result>(
    run: Run,
    work: (workspace: Workspace, mirror: string) => Promise<Result>,
  ): Promise<Result> {
    const { path, baseCommit } = run.work!.repository;
    const { taskId, commit } = run;
    const source = { stateDirectory, repository: path, baseCommit, commit };
    const { mirror, wasBrought } = await bringCommit({ ...source, get: artifacts.get });
    // The host that made it could not show it to the user: it has not got the user's repository.
    if (wasBrought && existsSync(path)) {
      const late = (error: unknown) => say(`the branch does not follow yet: ${(error as Error).message}`);
      await showBranch(mirror, path, taskId, commit).catch(late);
    }
    const workspace = await pool.claim({ mirror, taskId, commit });
    try {
      return await work(workspace, mirror);
    } finally {
      workspace.release();
    }
  }

  async function showBranch(
    mirror: string,
    repository: string,
    taskId: string,
    commit: string,
  ): Promise<void> {
    await advanceBranch(mirror, taskId, commit);
    if (!existsSync(repository)) {
      say(
        `the branch of task ${taskId} is kept here at ${commit}: its repository ${repository} is on another host`,
      );
      return;
    }
    const published = await publishBranch({ mirror, repository, taskId });
    if (!published.published) throw new Error(published.reason);
  }

  /** Once this returns any host can go on from what the step came to; only then may the record name it. */
  async function carry(run: Run, step: ToolStep, mirror: string, outcome: Outcome): Promise<void> {
    const { baseCommit } = run.work!.repository;
    const changed = outcome.commit !== undefined && outcome.commit !== run.commit;
    const notCarried = changed
      ? await keepSnapshot(mirror, baseCommit, outcome.commit!, artifacts)
      : isOpening(step)
        ? await keepRepository(mirror, baseCommit, artifacts)
        : undefined;
    if (notCarried) say(notCarried);
  }

  /** What the model asks for is held to its own tools; what the harness does itself, to the harness's. */
  function contextOf(run: Run, step: ToolStep, workspace: Workspace, context: ActContext): ToolContext {
    const work = run.work!;
    const isHarness = isOpening(step) || (step.tool === testsTool && run.isFinishing);
    return {
      role: definition.name,
      stepId: `${work.runId}/${step.number}`,
      workspace: workspace.path,
      commit: run.commit,
      // What the tester of this task wrote counts as protected from then on.
      baseCommit: work.fromCommit,
      policy: isHarness ? { ...policy, tools: [testsTool, 'list-dir'] } : policy,
      sandbox,
      test: { argv: work.test ? parseCommandLine(work.test) : [] },
      signal: context.signal,
    };
  }

  /** Runs the operator's setup command where this worktree has not seen it for this task; a process that took over may have a fresh one. */
  async function makeReady(
    run: Run,
    workspace: Workspace,
    context: ActContext,
  ): Promise<Outcome | undefined> {
    const { setup } = run.work!;
    if (!setup) return undefined;
    const { withoutSandbox, timeoutMs, outputBytes } = policy;
    const argv = parseCommandLine(setup);
    const prepared = await workspace.prepare({
      argv,
      sandbox,
      withoutSandbox,
      timeoutMs: timeoutMs * 5,
      outputBytes,
      signal: context.signal,
    });
    if (!prepared.ok) return { status: 'failed', output: `${prepared.reason}\n${prepared.output}`.trim() };
    if (prepared.ran) await workspace.reset(run.commit);
    return undefined;
  }

  async function open(run: Run, step: ToolStep, workspace: Workspace, context: ActContext): Promise<Outcome> {
    const work = run.work!;
    if (definition.opening === 'diff') {
      const diff = await workspace.diff(work.repository.baseCommit, work.fromCommit, policy.outputBytes);
      return { status: 'ok', output: `The change so far:\n${diff}`, diff };
    }
    if (definition.opening === 'files') {
      const list = await performStep({
        name: 'list-dir',
        args: {},
        context: contextOf(run, step, workspace, context),
        workspace,
      });
      return { ...list, status: 'ok' };
    }
    const notReady = await makeReady(run, workspace, context);
    if (notReady) return notReady;
    if (!work.test || work.baselineKnown) return { status: 'ok', output: '' };
    const tested = await performStep({
      name: testsTool,
      args: {},
      context: contextOf(run, step, workspace, context),
      workspace,
    });
    // Red tests are where the work begins; only tests that could not be run are a failure.
    if (!tested.tests) return { ...tested, status: 'failed' };
    const state = tested.tests.testsPass
      ? 'The tests pass before any change.'
      : 'The tests fail before any change:';
    return { ...tested, status: 'ok', commit: undefined, output: `${state}\n${tested.output}` };
  }

  async function performIn(
    workspace: Workspace,
    run: Run,
    step: ToolStep,
    context: ActContext,
  ): Promise<Outcome> {
    if (isOpening(step)) return open(run, step, workspace, context);
    if (runsPrograms.has(step.tool)) {
      const notReady = await makeReady(run, workspace, context);
      if (notReady) return notReady;
    }
    const args = step.arguments as Record<string, unknown>;
    return performStep({
      name: step.tool,
      args,
      context: contextOf(run, step, workspace, context),
      workspace,
    });
  }

  return {
    facts: { effects },
    sandbox,
    // What the operator took away is not offered either.
    descriptions: toolDescriptions(policy.tools),
    async perform(run, context) {
      const step = run.opens as ToolStep;
      try {
        return await withWorkspace(run, async (workspace, mirror) => {
          const outcome = clean(await performIn(workspace, run, step, context));
          await carry(run, step, mirror, outcome);
          return outcome;
        });
      } catch (error) {
        // Another process may be at a host that has what is missing here; an opaque step has one try only.
        const isLast = step.effect === 'opaque' || context.epoch >= mostOpenings;
        if (!(error instanceof NotHereError) || !isOpening(step) || !isLast) throw error;
        return { status: 'failed', output: error.message };
      }
    },
    async followBranch({ repository, taskId, commit }) {
      const { mirror } = await bringCommit({ stateDirectory, repository, commit, get: artifacts.get });
      await showBranch(mirror, repository, taskId, commit);
    },
    close: () => pool.close(),
  };
}

function policyOf(definition: AgentDefinition, options: HandsOptions): ToolPolicy {
  const { perRole, protect, withoutSandbox, timeoutMs, outputBytes } = options.tools;
  const narrowed = perRole?.[definition.name as AgentRole]?.tools;
  const allowed = definition.tools.filter((name) => narrowed === undefined || narrowed.includes(name));
  return {
    tools: allowed,
    programs: options.programs,
    protect,
    withoutSandbox,
    timeoutMs,
    outputBytes,
  };
}

/** What a program printed may hold a key; it goes into the record and to a model. */
function clean(outcome: Outcome): Outcome {
  return {
    ...outcome,
    output: censorText(outcome.output),
    ...(outcome.diff ? { diff: censorText(outcome.diff) } : {}),
    ...(outcome.tests ? { tests: { ...outcome.tests, output: censorText(outcome.tests.output) } } : {}),
  };
}
