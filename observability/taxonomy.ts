import type { SpanKindName } from './finished-span.ts';

/**
 * The one place where names of spans and keys of attributes stand. The conventions for agents, models and messages are
 * still in development: when they change, this file changes, and nothing else.
 */

/** Keys of attributes. What has no convention is below `switchyard.`. */
export const keys = {
  task: 'switchyard.task.id',
  taskState: 'switchyard.task.state',
  taskBranch: 'switchyard.task.branch',
  run: 'switchyard.run.id',
  role: 'switchyard.role',
  item: 'switchyard.item.index',
  hop: 'switchyard.hop',
  hopsLeft: 'switchyard.hops_left',
  cyclesLeft: 'switchyard.cycles_left',
  calls: 'switchyard.calls',
  steps: 'switchyard.steps',
  cost: 'switchyard.cost.micro_dollars',
  worstCaseCost: 'switchyard.cost.worst_case.micro_dollars',
  waste: 'switchyard.cost.wasted.micro_dollars',
  ending: 'switchyard.ending',
  isResumed: 'switchyard.resumed',
  takeOvers: 'switchyard.take_overs',
  resumedFrom: 'switchyard.resumed.from',
  resumedBy: 'switchyard.resumed.by',
  epoch: 'switchyard.epoch',
  why: 'switchyard.why',
  rule: 'switchyard.route.rule',
  confidence: 'switchyard.route.confidence',
  fallbacks: 'switchyard.route.fallbacks',
  rejected: 'switchyard.route.rejected',
  pool: 'switchyard.pool',
  verdict: 'switchyard.review.verdict',
  findings: 'switchyard.review.findings',
  step: 'switchyard.step.number',
  effect: 'switchyard.step.effect',
  stepStatus: 'switchyard.step.status',
  isAdopted: 'switchyard.step.adopted',
  sandbox: 'switchyard.sandbox',
  commit: 'vcs.ref.head.revision',
  testsPassed: 'switchyard.tests.passed',
  testsFailed: 'switchyard.tests.failed',
  journal: 'switchyard.journal',
  sequence: 'switchyard.journal.sequence',
  callId: 'switchyard.call.id',
  attempts: 'switchyard.call.attempts',
  gatewayRequest: 'switchyard.gateway.request.id',
  tokensAreEstimated: 'switchyard.tokens.estimated',
  deliveries: 'switchyard.deliveries',
  threads: 'process.thread.count',
  memory: 'process.memory.usage',
  cpu: 'process.cpu.utilization',
  exitCode: 'process.exit.code',
  // GenAI
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  agent: 'gen_ai.agent.name',
  agentId: 'gen_ai.agent.id',
  conversation: 'gen_ai.conversation.id',
  model: 'gen_ai.request.model',
  responseModel: 'gen_ai.response.model',
  responseId: 'gen_ai.response.id',
  finishReasons: 'gen_ai.response.finish_reasons',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  tool: 'gen_ai.tool.name',
  toolCallId: 'gen_ai.tool.call.id',
  errorType: 'error.type',
  // Messages
  messagingSystem: 'messaging.system',
  messagingOperation: 'messaging.operation.name',
  messagingOperationType: 'messaging.operation.type',
  destination: 'messaging.destination.name',
  destinationTemplate: 'messaging.destination.template',
  consumerGroup: 'messaging.consumer.group.name',
  messageId: 'messaging.message.id',
  messageConversation: 'messaging.message.conversation_id',
  eventId: 'cloudevents.event_id',
  eventSource: 'cloudevents.event_source',
  eventType: 'cloudevents.event_type',
} as const;

type Key = keyof typeof keys;

/** What happened within a span, at one moment. */
export const spanEvents = {
  runResumed: 'run.resumed',
  runRerouted: 'run.rerouted',
  lateAnswer: 'run.late_answer',
  replyRefused: 'run.reply_refused',
  taskPaused: 'task.paused',
  taskResumed: 'task.resumed',
  taskWaiting: 'task.waiting',
  routeWaiting: 'route.waiting',
} as const;

export interface SpanRow {
  /** As it is written on the span; `{...}` stands for what differs. */
  name: string;
  kind: SpanKindName;
  what: string;
  parent: string;
  /** Beside those of every span. */
  attributes: readonly Key[];
}

/** On every span, where they are known. */
export const everywhere: readonly Key[] = ['task', 'run', 'role', 'hop', 'hopsLeft', 'cyclesLeft'];

/** Every kind of span. */
export const taxonomy = {
  task: {
    name: 'agent.task',
    kind: 'internal',
    what: 'A task, from its submission to its end. Pauses and resumptions are events of it.',
    parent: 'the span of whoever asked for it, where the request brought a trace along; else none',
    attributes: [
      'taskState',
      'taskBranch',
      'calls',
      'inputTokens',
      'outputTokens',
      'cost',
      'why',
      'isResumed',
    ],
  },
  route: {
    name: 'agent.route',
    kind: 'internal',
    what: 'The choice of a model and its pool for a run, from when it was owed to the decision.',
    parent: '`agent.task`, or the `agent.review` that it is for',
    attributes: ['agent', 'rule', 'confidence', 'pool', 'model', 'provider', 'fallbacks', 'rejected', 'why'],
  },
  run: {
    name: 'agent.run',
    kind: 'internal',
    what: 'One run of a role, from its first step to its conclusion, over all processes that had a part in it. One that went on in another process says so: `switchyard.resumed`, and an event `run.resumed` for each time.',
    parent: '`agent.task`, or the `agent.review` that it is for',
    attributes: [
      'operation',
      'agent',
      'agentId',
      'conversation',
      'item',
      'steps',
      'calls',
      'inputTokens',
      'outputTokens',
      'cost',
      'waste',
      'pool',
      'model',
      'provider',
      'ending',
      'why',
      'isResumed',
      'takeOvers',
      'testsPassed',
      'testsFailed',
      'commit',
      'threads',
      'memory',
      'cpu',
    ],
  },
  review: {
    name: 'agent.review',
    kind: 'internal',
    what: 'A review, from the hand-over to what the manager made of the verdict.',
    parent: '`agent.task`',
    attributes: ['item', 'verdict', 'findings'],
  },
  tool: {
    name: 'agent.tool_call',
    kind: 'internal',
    what: 'One tool call by one process. A process that took it over has a span of its own, which links to the one that broke off.',
    parent: '`agent.run`',
    attributes: [
      'operation',
      'conversation',
      'tool',
      'toolCallId',
      'step',
      'effect',
      'epoch',
      'stepStatus',
      'isAdopted',
      'sandbox',
      'exitCode',
      'testsPassed',
      'testsFailed',
      'commit',
      'isResumed',
      'resumedFrom',
      'errorType',
      'threads',
      'memory',
      'cpu',
    ],
  },
  save: {
    name: 'agent.checkpoint.save',
    kind: 'internal',
    what: "An append to a journal: from the decision to its place in the record. Its id is that of the event's own trace context, so whatever is caused by an event hangs below it.",
    parent: 'the span that the journal is of: task, route, run or model call',
    attributes: ['eventId', 'eventType', 'eventSource', 'journal', 'sequence'],
  },
  model: {
    name: '{gen_ai.operation.name} {gen_ai.request.model}',
    kind: 'client',
    what: 'One model call by one process, from its declaration to its result.',
    parent: '`agent.run`',
    attributes: [
      'operation',
      'provider',
      'model',
      'responseModel',
      'conversation',
      'agent',
      'callId',
      'pool',
      'epoch',
      'inputTokens',
      'outputTokens',
      'tokensAreEstimated',
      'finishReasons',
      'cost',
      'worstCaseCost',
      'attempts',
      'responseId',
      'gatewayRequest',
      'isResumed',
      'resumedFrom',
      'errorType',
      'threads',
      'memory',
      'cpu',
    ],
  },
  send: {
    name: 'send {messaging.destination.template}',
    kind: 'producer',
    what: "A message of one role to another. Its id is that of the message's own trace context.",
    parent: 'the `agent.checkpoint.save` of the event that it follows from',
    attributes: [
      'messagingSystem',
      'messagingOperation',
      'messagingOperationType',
      'destination',
      'destinationTemplate',
      'messageId',
      'messageConversation',
      'eventId',
      'eventType',
      'eventSource',
    ],
  },
  process: {
    name: 'process {messaging.destination.template}',
    kind: 'consumer',
    what: 'One delivery of a message, from the first decision on it to the last event stored for it. A message that was delivered again to another process has one for each.',
    parent: 'its `send`; for a request from outside `agent.task`',
    attributes: [
      'messagingSystem',
      'messagingOperation',
      'messagingOperationType',
      'destination',
      'destinationTemplate',
      'consumerGroup',
      'messageId',
      'messageConversation',
      'eventId',
      'eventType',
      'eventSource',
      'deliveries',
    ],
  },
} as const satisfies Record<string, SpanRow>;

export const operations = { chat: 'chat', invokeAgent: 'invoke_agent', executeTool: 'execute_tool' } as const;

/** `chat gpt-oss`. */
export const modelSpanName = (model: string) => `${operations.chat} ${model}`;
export const messagingSpanName = (operation: 'send' | 'process', template: string) =>
  `${operation} ${template}`;

/** The service that a role's spans are of. */
export const serviceOf = (role: string) => `switchyard-${role}`;
