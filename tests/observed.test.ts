import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCredential } from '../bus/credentials.ts';
import { readBelieved } from '../bus/journal.ts';
import { openLog } from '../bus/log.ts';
import { openModes, type Modes } from '../bus/modes.ts';
import { openSigner } from '../bus/signature.ts';
import type { DataOf } from '../schemas/catalogue.ts';
import { crashScope } from '../schemas/observed.ts';
import { openCollector, type Collector } from './otlp-collector.ts';
import { eventually } from './yard-parts.ts';
import { namespace, openYard, type Yard } from './yard.ts';

let yard: Yard;
let collector: Collector;
let modes: Modes;
const silent = openLog('test', 'silent');

beforeAll(async () => {
  collector = await openCollector();
  yard = await openYard({
    faults: { coder: ['acted=edit-file.2.1:hold'] },
    leaseMs: 6000,
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl,
      OTEL_METRIC_EXPORT_INTERVAL: '300',
      SWITCHYARD_LOG_LEVEL: 'info',
    },
  });
  const { privateKey } = await readCredential(yard.stateDirectory, 'operator');
  const bus = await yard.connectAs('operator');
  modes = openModes({ bus, namespace, log: silent, sign: openSigner(privateKey) });
});
afterAll(async () => {
  await yard?.stop();
  await collector?.close();
});

const servicesOf = (list: { resource: Record<string, unknown> }[]) => [
  ...new Set(list.map((one) => String(one.resource['service.name']))),
];
const forget = () => {
  collector.logs.length = 0;
  collector.metrics.length = 0;
};
async function crashOf(process: string) {
  const journal = `${namespace}.event.mesh.crash.${crashScope(process)}`;
  const found: DataOf<'mesh.crash'>[] = [];
  for await (const { event } of readBelieved({ bus: yard.admin, namespace }, journal))
    found.push(event.data as DataOf<'mesh.crash'>);
  return found;
}

test('observed: nothing but spans leaves until somebody switches, then logs in full and metrics of whom it is for', async () => {
  const first = await yard.submit({ limits: { hops: 0 } });
  const holder = await yard.launcher.held('edit-file.2.1');
  expect([collector.logs, collector.metrics]).toEqual([[], []]);

  // What it had declared has no result: whoever goes on says so, once, and its role is debugged.
  const dead = holder.process!;
  holder.kill('SIGKILL');
  const [crash, ...more] = await eventually(async () => {
    const found = await crashOf(dead);
    return found.length > 0 ? found : undefined;
  }, 'the crash to be in the record');
  expect(more).toEqual([]);
  expect(crash).toMatchObject({ process: dead, role: 'coder' });
  // On a busy machine its silence may be noticed first.
  expect(['open_intent', 'silence']).toContain(crash!.sign);
  expect(crash!.why).toContain(dead);
  expect(crash!.untilMs - crash!.given.atMs).toBe(300_000);
  await yard.ended(first);
  await eventually(() => collector.logs.length > 0 && collector.metrics.length > 0, 'logs and metrics');
  expect(servicesOf(collector.logs)).toEqual(['switchyard-coder']);
  const decision = await eventually(
    () => collector.logs.find((one) => one.body === 'run.concluded'),
    'the line of a decision',
  );
  expect(decision.traceId).toBe(first.replaceAll('-', ''));
  expect(decision.attributes).toMatchObject({ 'switchyard.task.id': first, 'switchyard.role': 'coder' });
  expect((await modes.windows()).map((one) => [one.role, one.mode])).toEqual([['coder', 'debug']]);
});

test('observed: a person switches it off at once, and who starts later obeys what was switched before', async () => {
  await modes.set({ mode: 'shipping' });
  const isQuiet = async () => {
    forget();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    return collector.logs.length === 0 && collector.metrics.length === 0;
  };
  await eventually(isQuiet, 'the coders to be quiet');
  await modes.set({ mode: 'debug', role: 'reviewer', untilMs: Date.now() + 120_000 });
  await yard.start('reviewer');
  await eventually(
    () =>
      new Set(
        collector.metrics
          .filter((one) => one.resource['service.name'] === 'switchyard-reviewer')
          .map((one) => one.resource['service.instance.id']),
      ).size === 2,
    'metrics of both reviewers',
  );
  expect(servicesOf(collector.metrics)).toEqual(['switchyard-reviewer']);
  expect(new Set(collector.metrics.map((one) => one.name))).toContain('switchyard.slots');
  await modes.set({ mode: 'debug', untilMs: Date.now() + 120_000 });
  await yard.ended(await yard.submit());
  await eventually(
    () =>
      ['manager', 'router', 'coder', 'inference'].every((role) =>
        servicesOf(collector.logs).includes(`switchyard-${role}`),
      ),
    'logs of the whole mesh',
  );
  const names = () => new Set(collector.metrics.map((one) => one.name));
  await eventually(
    () =>
      [
        'gen_ai.client.token.usage',
        'gen_ai.client.operation.duration',
        'switchyard.cost',
        'switchyard.steps',
        'messaging.process.duration',
      ].every((name) => names().has(name)),
    'the metrics of a task',
  );
  await modes.set({ mode: 'shipping', role: 'reviewer' });
  await modes.set({ mode: 'debug', untilMs: Date.now() + 1000 });
  // It falls back by itself.
  await eventually(isQuiet, 'the mesh to be quiet');
  expect((await modes.windows()).filter((one) => one.mode === 'debug')).toEqual([]);
});

test('observed: a process whose heartbeat stops without a farewell is a crash; one that says farewell is none', async () => {
  const processOf = (program: string) =>
    yard.launcher.children().find((one) => one.program === program)!.process!;
  const [killed, stopped] = [processOf('router'), processOf('inference')];
  // Who says farewell first, so that its silence could have been noticed when the other's is.
  for (const child of yard.launcher.children()) if (child.program === 'inference') child.kill('SIGTERM');
  yard.kill('router');
  const [crash] = await eventually(async () => {
    const found = await crashOf(killed);
    return found.length > 0 ? found : undefined;
  }, 'the silence to be noticed');
  expect(crash).toMatchObject({ process: killed, role: 'router', sign: 'silence' });
  expect(await crashOf(stopped)).toEqual([]);
});
