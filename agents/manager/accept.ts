import { tighten, type Limits } from '../../schemas/bounds.ts';
import { parseCommandLine } from '../../schemas/command-line.ts';
import { deriveId, taskIdOf, type Envelope } from '../../schemas/envelope.ts';
import type { SubmitRequest } from '../../schemas/request.ts';
import type { Decision } from '../../schemas/service.ts';
import { dataProblems } from '../../schemas/validate.ts';
import { noSpend, type Item, type Repository, type Work } from '../../schemas/work.ts';

/** What is looked up of a request: the repository as it stands, and what the operator allows. */
export interface AcceptanceFacts {
  repository: Repository | { problem: string };
  allowedTests: string[];
  allowedSetups: string[];
  /** Those that may be asked. */
  models: string[];
  /** Those that are configured, and that the mode `local-only` lets nobody ask. */
  barred?: string[];
  limits: Limits;
}

/** A goal that says no more than that the tests shall pass needs no planner. */
const onlyTests = new RegExp(
  [
    String.raw`^\s*(please\s+)?(`,
    String.raw`(make|get|let|have)\s+(all\s+)?(of\s+)?(the\s+)?((failing|red|broken)\s+)?tests?\s+(to\s+)?(be\s+)?(pass|green|succeed|work)(ing)?`,
    // Not "fix the tests": that may mean that the tests themselves are wrong.
    String.raw`|(fix|repair)\s+(all\s+)?(of\s+)?(the\s+)?(failing|red|broken)\s+tests?`,
    String.raw`)[\s.!]*$`,
  ].join(''),
  'i',
);

/** Accepts a request or rejects it with every reason at once. */
export function accept(request: Envelope, facts: AcceptanceFacts | undefined): Decision {
  const problems = dataProblems('task.submit', request.data);
  if (problems.length > 0) return reject(problems);
  const asked = request.data as SubmitRequest;
  const goalIsTests = asked.goal === undefined || onlyTests.test(asked.goal);
  const reasons = [
    ...requestProblems(asked, goalIsTests),
    ...(facts ? factProblems(asked, facts) : ['the request could not be looked into']),
  ];
  if (reasons.length > 0 || !facts || 'problem' in facts.repository) return reject(reasons);

  const repository = facts.repository;
  const limits = tighten(facts.limits, asked.limits);
  const goal = asked.goal ?? `Make the tests pass: ${asked.test}`;
  const needsPlan =
    asked.plan === 'planner' || (asked.plan === undefined && (!goalIsTests || asked.approvePlan === true));
  const items: Item[] = needsPlan ? [] : [{ role: 'coder', goal }];
  const taskId = taskIdOf(request);
  const next: Work = {
    runId: deriveId(taskId, 'run', 0),
    role: needsPlan ? 'planner' : 'coder',
    itemIndex: needsPlan ? -1 : 0,
    itemCount: items.length,
    goal,
    hop: 0,
    cyclesLeft: limits.cycles,
    findings: [],
    notes: [],
    fromCommit: repository.baseCommit,
    repository,
    ...(asked.test ? { test: asked.test } : {}),
    ...(asked.setup ? { setup: asked.setup } : {}),
    baselineKnown: false,
    goalIsTests,
    ...(asked.model ? { model: asked.model } : {}),
    limits,
    spent: noSpend,
  };
  const notes =
    repository.uncommittedFiles > 0
      ? [
          `${repository.uncommittedFiles} file(s) with uncommitted changes are left as they are and left out: work starts from commit ${repository.baseCommit.slice(0, 12)}`,
        ]
      : [];
  return {
    do: 'append',
    type: 'task.accepted',
    hop: 0,
    cyclesLeft: limits.cycles,
    data: {
      goal,
      goalIsTests,
      repository,
      ...(asked.test ? { test: asked.test } : {}),
      ...(asked.setup ? { setup: asked.setup } : {}),
      approvePlan: asked.approvePlan ?? false,
      ...(asked.unattended ? { unattended: true } : {}),
      ...(asked.model ? { model: asked.model } : {}),
      limits,
      notes,
      items,
      next,
    },
  };
}

/** What contradicts itself in a request that fits its schema. */
function requestProblems(asked: SubmitRequest, goalIsTests: boolean): string[] {
  const problems: string[] = [];
  if (asked.goal === undefined && asked.test === undefined) {
    problems.push('data: say what is wanted: a goal, or a test command that shall pass');
  } else if (goalIsTests && asked.test === undefined) {
    problems.push('data.test: the goal is that the tests pass, and there is no test command');
  }
  if (asked.approvePlan && asked.plan === 'single') {
    problems.push('data.approvePlan: with plan "single" there is no plan to approve');
  }
  if (asked.approvePlan && asked.unattended) {
    problems.push('data.approvePlan: the task is unattended, so nobody is there to approve its plan');
  }
  return problems;
}

function factProblems(asked: SubmitRequest, facts: AcceptanceFacts): string[] {
  const problems: string[] = [];
  if ('problem' in facts.repository) problems.push(`repository: ${facts.repository.problem}`);
  for (const [name, command, allowed] of [
    ['test', asked.test, facts.allowedTests],
    ['setup', asked.setup, facts.allowedSetups],
  ] as const) {
    if (command === undefined) continue;
    const problem = commandProblem(command, allowed);
    if (problem) problems.push(`${name}: ${problem}`);
  }
  if (asked.model !== undefined && !facts.models.includes(asked.model)) {
    problems.push(`model: ${modelProblem(asked.model, facts.models, facts.barred)}`);
  }
  return problems;
}

/** Why a model that was asked by name is none of those that may be. */
export function modelProblem(asked: string, models: string[], barred: string[] = []): string {
  const others = models.join(', ') || 'none';
  return barred.includes(asked)
    ? `"${asked}" is not on this machine, and the mode is \`local-only\`: set \`mode: local+api\` in switchyard.yaml; there are: ${others}`
    : `"${asked}" is not configured; there are: ${others}`;
}

function commandProblem(command: string, allowed: string[]): string | undefined {
  let words: string[];
  try {
    words = parseCommandLine(command);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const asOne = JSON.stringify(words);
  const isAllowed = allowed.some((one) => {
    try {
      return JSON.stringify(parseCommandLine(one)) === asOne;
    } catch {
      return false;
    }
  });
  if (isAllowed) return undefined;
  return `"${command}" is not allowed; the operator allows ${allowed.map((one) => `"${one}"`).join(', ') || 'none'} (allow.tests and allow.setups in switchyard.yaml, or \`./switchyard fix\`)`;
}

/** The first reasons; a request with thousands of faults says how many more there are. */
function reject(all: string[]): Decision {
  const most = 50;
  const reasons = all.length > most ? [...all.slice(0, most), `and ${all.length - most} more`] : all;
  return { do: 'append', type: 'task.rejected', data: { reasons } };
}
