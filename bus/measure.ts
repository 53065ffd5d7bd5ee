import type { DataOf } from '../schemas/catalogue.ts';
import { shortType, type Envelope } from '../schemas/envelope.ts';
import { telemetry, type Gauge } from '../schemas/telemetry.ts';
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
    const { reply, model, backend, costMicroDollars } = event.data as DataOf<'call.completed'>;
    const attributes = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': backend,
      'gen_ai.request.model': model,
    };
    port.measure('gen_ai.client.operation.duration', reply.durationMs / 1000, attributes);
    const ofType = (name: string) => ({ ...attributes, 'gen_ai.token.type': name });
    port.measure('gen_ai.client.token.usage', reply.inputTokens, ofType('input'));
    port.measure('gen_ai.client.token.usage', reply.outputTokens, ofType('output'));
    port.measure('switchyard.cost', costMicroDollars, attributes);
  }
  if (type === 'call.failed') {
    const { model, backend, cause, kind, costMicroDollars } = event.data as DataOf<'call.failed'>;
    const attributes = { 'gen_ai.provider.name': backend, 'gen_ai.request.model': model };
    port.measure('switchyard.calls.failed', 1, { ...attributes, 'error.type': cause ?? kind });
    port.measure('switchyard.cost', costMicroDollars, attributes);
  }
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
    ...(cpuPercent === undefined ? [] : [{ name: 'process.cpu.percent' as const, value: cpuPercent }]),
  ];
}
