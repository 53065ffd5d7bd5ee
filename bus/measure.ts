import type { DataOf } from '../schemas/catalogue.ts';
import { shortType, type Envelope } from '../schemas/envelope.ts';
import { telemetry, type Gauge, type TelemetryPort } from '../schemas/telemetry.ts';
import type { Delivery } from './delivery.ts';
import type { Heartbeat } from './registry.ts';

/** Counts what a stored event says. */
export function measureDecision(event: Envelope): void {
  const port = telemetry();
  if (!port.isDebug) return;
  const type = shortType(event.type);
  port.measure('switchyard.decisions', 1, { 'cloudevents.event_type': event.type });
  if (type === 'run.stepped' || (type === 'run.concluded' && (event.data as { outcome?: unknown }).outcome)) {
    const { outcome } = event.data as DataOf<'run.stepped'>;
    const attributes = { 'switchyard.role': event.sender ?? '', 'switchyard.step.status': outcome.status };
    port.measure('switchyard.steps', 1, attributes);
    if (outcome.durationMs !== undefined)
      port.measure('switchyard.step.duration', outcome.durationMs / 1000, attributes);
  }
  if (type === 'run.settled') {
    const { spend } = event.data as DataOf<'run.settled'>;
    port.measure('switchyard.cost.wasted', spend.costMicroDollars, { 'switchyard.role': event.sender ?? '' });
  }
  if (type === 'call.completed') {
    const completed = event.data as DataOf<'call.completed'>;
    measureCall(port, completed, completed.reply);
  }
  if (type === 'call.failed') {
    const failed = event.data as DataOf<'call.failed'>;
    const error = { 'error.type': failed.cause ?? failed.kind };
    measureCall(port, failed, failed, error);
    port.measure('switchyard.calls.failed', 1, { ...attributesOf(failed), ...error });
  }
  // It does not say of which model it was.
  if (type === 'call.cancelled')
    port.measure('switchyard.cost', (event.data as DataOf<'call.cancelled'>).costMicroDollars);
}

type Called = Pick<DataOf<'call.failed'>, 'backend' | 'model' | 'costMicroDollars'>;
const attributesOf = ({ backend, model }: Called) => ({
  'gen_ai.operation.name': 'chat',
  'gen_ai.provider.name': backend,
  'gen_ai.request.model': model,
});

/** What a model call took, as far as it is known: one that failed may have read and written nothing. */
function measureCall(
  port: TelemetryPort,
  called: Called,
  took: { durationMs?: number; inputTokens?: number; outputTokens?: number },
  error: { 'error.type'?: string } = {},
): void {
  const attributes = attributesOf(called);
  const { durationMs, inputTokens, outputTokens } = took;
  if (durationMs !== undefined)
    port.measure('gen_ai.client.operation.duration', durationMs / 1000, { ...attributes, ...error });
  for (const [type, tokens] of [
    ['input', inputTokens],
    ['output', outputTokens],
  ] as const)
    if (tokens !== undefined)
      port.measure('gen_ai.client.token.usage', tokens, { ...attributes, 'gen_ai.token.type': type });
  port.measure('switchyard.cost', called.costMicroDollars, attributes);
}

export function measureTakeOver(role: string): void {
  telemetry().measure('switchyard.take_overs', 1, { 'switchyard.role': role });
}

export function measureLostRace(role: string): void {
  telemetry().measure('switchyard.races.lost', 1, { 'switchyard.role': role });
}

/** Counts a message that was taken; what it returns is called at its end. */
export function measureMessage(delivery: Delivery): () => void {
  const port = telemetry();
  if (!port.isDebug) return () => {};
  const startMs = performance.now();
  // Without the task's id, of which there are any number.
  const [kind = '', name] = (delivery.subject.split('.inbox.')[1] ?? 'submit').split('.');
  const inbox = name === undefined ? kind : `${kind}.${name}`;
  const attributes = { 'messaging.system': 'nats', 'messaging.destination.name': inbox };
  port.measure('messaging.client.consumed.messages', 1, attributes);
  if (delivery.deliveries > 1) port.measure('switchyard.messages.redelivered', 1, attributes);
  return () => port.measure('messaging.process.duration', (performance.now() - startMs) / 1000, attributes);
}

/** What a heartbeat says, as metrics. */
export function gaugesOf({ slots, busySlots, memoryBytes, cpuPercent, threads }: Heartbeat): Gauge[] {
  return [
    { name: 'switchyard.slots', value: slots },
    { name: 'switchyard.slots.busy', value: busySlots },
    { name: 'process.memory.usage', value: memoryBytes },
    { name: 'process.thread.count', value: threads },
    ...(cpuPercent === undefined
      ? []
      : [{ name: 'process.cpu.utilization' as const, value: cpuPercent / 100 }]),
  ];
}
