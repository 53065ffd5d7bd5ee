import type { Follow, Owed } from '../schemas/service.ts';
import type { Choice } from '../schemas/work.ts';
import type { AgentDefinition } from './role.ts';
import { finishTool, type Run } from './run-state.ts';
import { estimateTokens } from './tokens.ts';
import { transcript } from './transcript.ts';

export interface ToolText {
  name: string;
  description: string;
  arguments: Record<string, unknown>;
}

const concluding = ['call.completed', 'call.failed', 'call.cancelled'] as const;

/** What a run owes others in this state: its open question, the calling off of abandoned ones, its homecoming. */
export function outbox(definition: AgentDefinition, tools: ToolText[], run: Run): (Owed | Follow)[] {
  const owes: (Owed | Follow)[] = run.abandoned
    .filter((one) => !one.isSettled)
    .map((one) => calledOff(definition, run, one));
  if (run.phase === 'open' && run.opens?.kind === 'call') owes.push(...question(definition, tools, run));
  if (run.phase === 'concluded' && run.concludedAt) {
    if (
      run.work &&
      run.commit !== run.work.repository.baseCommit &&
      run.work.role !== 'reviewer' &&
      run.work.role !== 'planner'
    ) {
      owes.push({
        key: `branch|${run.commit}`,
        follow: { repository: run.work.repository.path, taskId: run.taskId, commit: run.commit },
      });
    }
    owes.push({
      key: 'home',
      to: { inbox: 'role', role: 'manager' },
      type: 'work.concluded',
      data: { ...run.concludedAt },
    });
  }
  return owes;
}

function question(definition: AgentDefinition, tools: ToolText[], run: Run): Owed[] {
  if (run.opens?.kind !== 'call' || !run.work) return [];
  const { callId, choice: place, deadlineAtMs } = run.opens;
  const choice = run.choices[place]!;
  const offered = [...tools.filter((tool) => definition.tools.includes(tool.name)), finish(definition)];
  const room = choice.contextTokens - choice.maxTokens - estimateTokens(offered);
  return [
    {
      key: `ask|${callId}`,
      to: { inbox: 'pool', pool: choice.pool },
      type: 'call.ask',
      data: {
        callId,
        runId: run.work.runId,
        role: definition.name,
        model: choice.model,
        pool: choice.pool,
        messages: transcript(definition, run, room),
        tools: offered,
        maxTokens: choice.maxTokens,
        deadlineAtMs,
        inputMicroDollars: choice.inputMicroDollars,
        outputMicroDollars: choice.outputMicroDollars,
        ...cachePrices(choice),
      },
      answer: {
        journal: { entity: 'call', id: callId },
        isAnsweredBy: concluding,
        home: { type: 'call.answered', role: definition.name },
      },
    },
    {
      key: `deadline|${callId}`,
      to: { inbox: 'timer', purpose: 'call' },
      type: 'call.deadline',
      data: { runId: run.work.runId, callId, dueAtMs: deadlineAtMs },
    },
  ];
}

function calledOff(definition: AgentDefinition, run: Run, abandoned: Run['abandoned'][number]): Owed {
  return {
    key: `cancel|${abandoned.callId}`,
    // Not to the pool: its workers may all be busy, with the very call that is to be called off.
    to: { inbox: 'role', role: 'inference' },
    type: 'call.cancel',
    data: {
      callId: abandoned.callId,
      runId: run.work?.runId ?? '',
      role: definition.name,
      reason: 'the run no longer waits for it',
    },
    answer: {
      journal: { entity: 'call', id: abandoned.callId },
      isAnsweredBy: concluding,
      home: { type: 'call.answered', role: definition.name },
    },
  };
}

/** The closing tool: how this role ends a run. */
function finish(definition: AgentDefinition): ToolText {
  return {
    name: finishTool,
    description:
      'Ends your work with its result. Call it alone, once you have seen what your other calls brought.',
    arguments: definition.result as unknown as Record<string, unknown>,
  };
}

/** What reading by way of the provider's cache costs, where that has a price of its own. */
function cachePrices({ cachedInputMicroDollars, cacheWriteMicroDollars }: Choice) {
  return {
    ...(cachedInputMicroDollars === undefined ? {} : { cachedInputMicroDollars }),
    ...(cacheWriteMicroDollars === undefined ? {} : { cacheWriteMicroDollars }),
  };
}
