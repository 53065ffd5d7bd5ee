import { openArtifacts } from '../bus/artifacts.ts';
import { membershipOf } from '../bus/membership.ts';
import { join, serve } from '../bus/process.ts';
import { processSettings } from '../config/membership.ts';
import { agentRoles, type AgentRole } from '../schemas/row.ts';
import type { Service } from '../schemas/service.ts';
import { openHands } from './act.ts';
import { outbox } from './owed.ts';
import { definitions } from './roles.ts';
import { decide, openIntent, takeOver } from './run.ts';
import { evolve, noRun, type Run } from './run-state.ts';

/** `node agents/main.ts ROLE`: one process of an agent role. */
const role = process.argv[2] as AgentRole;
if (!agentRoles.includes(role)) {
  console.error(`there is no agent role "${process.argv[2] ?? ''}"; there are ${agentRoles.join(', ')}`);
  process.exit(2);
}
const definition = definitions[role];
const settings = processSettings(process.argv, process.env);
const { config, stateDirectory } = settings;
const membership = await membershipOf(settings, role);
const joined = await join(membership, role, false);
const hands = await openHands({
  stateDirectory,
  process: joined.process,
  definition,
  tools: config.tools,
  programs: config.allow.programs,
  bubblewrap: process.env['SWITCHYARD_BWRAP'],
  path: process.env['PATH'],
  artifacts: openArtifacts(joined.bus, config.mesh.namespace),
  say: (text) => joined.log.warn({}, text),
});

const service: Service<Run> = {
  role,
  entity: 'run',
  initial: noRun,
  evolve,
  decide: (run, input) => decide(definition, run, input),
  outbox: (run) => outbox(definition, hands.descriptions, run),
  openIntent,
  takeOver: (run, input) => takeOver(definition, run, input),
  isOver: (run) => run.phase === 'concluded',
  gather: async () => hands.facts,
  act: (run, _whole, context) => hands.perform(run, context),
  follow: (follow) => hands.followBranch(follow as Parameters<typeof hands.followBranch>[0]),
};

await serve(membership, joined, {
  service,
  intakes: [
    { consumer: `role-${role}`, slots: config.slots[role] },
    { consumer: `timer-${role}`, slots: 1, isQuick: true },
  ],
  tags: [`sandbox:${hands.sandbox.level}`],
  close: () => hands.close(),
});
