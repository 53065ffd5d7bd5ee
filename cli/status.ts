import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Backlog } from '../bus/backlog.ts';
import { heartbeatMs, openRegistry, type Heartbeat } from '../bus/registry.ts';
import { modelDefinitions } from '../config/model-options.ts';
import { span, type Span } from '../observability/span.ts';
import { viewOf, type TaskView } from '../observability/task-view.ts';
import { countText, durationText } from '../observability/wording.ts';
import { roles } from '../schemas/row.ts';
import { readDuration } from './amount.ts';
import { withMesh, type Connection } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { untilInterrupted } from './interrupts.ts';
import type { Output } from './output.ts';
import { poolNames, poolText, poolViews } from './status-pools.ts';
import { watchAgain } from './status-watch.ts';
import { tableOf } from './table.ts';
import { verb } from './verb.ts';

export function registerStatus(program: Command): void {
  const command = program
    .command('status')
    .summary('show who is alive, what waits and what runs')
    .description(
      'Shows the processes that are alive with their load, the pools of models with their workers, what waits, the tasks that are not over, and how many dead letters there are.',
    )
    .option('--watch', 'show it again and again, until Ctrl-C')
    .option('--every <time>', 'how often, with --watch; left out: 2s', readDuration);
  verb<{ watch?: boolean; every?: number }>(
    command,
    [
      ['status', 'the mesh at a glance'],
      ['status --watch', 'the same, kept up to date'],
      ['status --json', 'the same for a program'],
    ],
    ({ options, environment, output }) =>
      withMesh({ options, environment }, async (mesh) => {
        if (options.watch) await watchStatus(mesh, output, options.every ?? heartbeatMs);
        else {
          const { data, lines } = await statusOf(mesh, await mesh.client.living());
          output.result(data, lines);
        }
        return exitCodes.done;
      }),
  );
}

async function watchStatus(mesh: Connection, output: Output, everyMs: number): Promise<void> {
  const registry = await openRegistry(mesh.client.bus, mesh.namespace, true);
  // What was said last comes at once; then it is kept up to date.
  await sleep(300);
  try {
    await untilInterrupted((signal) =>
      watchAgain({
        look: () => statusOf(mesh, registry.living()),
        output,
        screen: process.stdout,
        everyMs,
        signal,
      }),
    );
  } finally {
    registry.stop();
  }
}

/** The mesh as it is now, for a program and for a person. */
async function statusOf(
  { client, url, config, namespace }: Connection,
  living: Heartbeat[],
): Promise<{ data: object; lines: Span[][] }> {
  const [backlogs, dead, journals] = await Promise.all([
    client.backlogs(),
    client.deadLetters(),
    client.taskJournals(),
  ]);
  const configured = modelDefinitions(config.models).map((model) => model.pool);
  const names = poolNames(configured, living, backlogs);
  const breakers = new Map(
    await Promise.all(names.map(async (pool) => [pool, await client.breaker(pool)] as const)),
  );
  const pools = poolViews(names, { living, backlogs, breakers });
  const tasks = journals
    .map(({ events }) => viewOf(events))
    .filter((view) => ['running', 'waiting', 'paused'].includes(view.state));
  const absent = roles.filter(
    (role) => config.processes[role] > 0 && !living.some((one) => one.role === role),
  );
  const processes = living.toSorted(byRole);
  const nowMs = Date.now();
  return {
    data: {
      mesh: config.mesh.name,
      namespace,
      url,
      serverVersion: client.bus.serverVersion,
      processes,
      absentRoles: absent,
      pools,
      backlogs,
      tasks: tasks.map(taskData),
      deadLetters: dead.length,
    },
    lines: [
      [
        span(config.mesh.name, 'accent'),
        span(` at ${url}, nats-server ${client.bus.serverVersion}, namespace ${namespace}`),
      ],
      [],
      ...tableOf(
        ['role', 'process', 'busy', 'memory', 'up', 'host', 'tags'],
        processes.map((one) => processRow(one, nowMs)),
      ),
      ...absent.map((role) => [
        span(`no live process of the role ${role}: `, 'warn'),
        span(`./switchyard start ${role}`, 'accent'),
      ]),
      [],
      ...poolText(pools, nowMs),
      ...backlogText(backlogs),
      ...(tasks.length === 0
        ? [[span('no task runs', 'dim')]]
        : tableOf(['task', 'state', 'role', 'hop', 'goal'], tasks.map(taskRow))),
      ...(dead.length === 0
        ? []
        : [
            [
              span(`${countText(dead.length, 'dead letter')}: `, 'bad'),
              span('./switchyard dead list', 'accent'),
            ],
          ]),
    ],
  };
}

const byRole = (one: Heartbeat, other: Heartbeat) =>
  one.role.localeCompare(other.role) || one.startedAtMs - other.startedAtMs;

function processRow(one: Heartbeat, nowMs: number): Span[] {
  return [
    span(one.role),
    span(one.process),
    // Who takes no work has no slots.
    one.slots === 0
      ? span('-', 'dim')
      : span(`${one.busySlots}/${one.slots}`, one.busySlots >= one.slots ? 'warn' : 'plain'),
    span(`${Math.round(one.memoryBytes / 1_048_576)} MiB`),
    span(durationText(nowMs - one.startedAtMs)),
    span(`${one.host}:${one.pid}`),
    span([...one.pools.map((pool) => `pool:${pool}`), ...one.tags].join(' '), 'dim', 80),
  ];
}

/** Timers wait by nature, and those of ended tasks until they are due: only what else waits is worth a line. */
export function backlogText(backlogs: Backlog[]): Span[][] {
  const busy = backlogs.filter((one) => !one.consumer.startsWith('timer-') && one.waiting + one.inHand > 0);
  const table =
    busy.length === 0
      ? [[span('nothing waits', 'dim')]]
      : tableOf(
          ['inbox', 'waiting', 'in hand'],
          busy.map((one) => [span(one.consumer), span(String(one.waiting)), span(String(one.inHand))]),
        );
  return [...table, []];
}

function taskRow(view: TaskView): Span[] {
  const hop = view.work && view.limits ? `${view.work.hop}/${view.limits.hops}` : '';
  return [
    span(view.taskId.slice(0, 8)),
    span(view.state, view.state === 'running' ? 'accent' : 'warn'),
    span(view.work?.role ?? ''),
    span(hop),
    span(view.goal, 'plain', 70),
  ];
}

const taskData = ({ taskId, state, goal, work, pause, waiting, startedAtMs }: TaskView) => ({
  taskId,
  state,
  goal,
  work,
  pause,
  waiting,
  startedAtMs,
});
