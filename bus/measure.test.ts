import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TypeName } from '../schemas/catalogue.ts';
import { deriveId, message } from '../schemas/envelope.ts';
import { examples } from '../schemas/examples.ts';
import { offerTelemetry, type TelemetryPort } from '../schemas/telemetry.ts';
import type { Delivery } from './delivery.ts';
import { measureDecision, measureLostRace, measureMessage } from './measure.ts';

let measured: [name: string, value: number, attributes: object][];
const port: TelemetryPort = {
  isDebug: true,
  debug() {},
  measure: (name, value, attributes = {}) => void measured.push([name, value, attributes]),
  gauges() {},
  line() {},
};
beforeEach(() => {
  measured = [];
  offerTelemetry(port);
});
afterEach(() => offerTelemetry({ ...port, isDebug: false }));

/** What an event is counted as, beside that it is one. */
function countsOf<Name extends TypeName>(type: Name, more: object = {}) {
  const id = deriveId('tests', type);
  const lineage = { taskId: id, correlationId: id, causationId: id, hop: 0, cyclesLeft: 0 };
  const data = { ...examples[type], ...more };
  measureDecision(message(type, id, 'coder', 'record', lineage, 0, data as never));
  return measured.filter(([name]) => name !== 'switchyard.decisions');
}

test('metrics: a call that failed is counted with its time, its tokens, its cost and why', () => {
  const took = { durationMs: 2500, inputTokens: 30, outputTokens: 12, costMicroDollars: 150 };
  const { model, backend } = examples['call.failed'];
  const of = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': backend,
    'gen_ai.request.model': model,
  };
  expect(countsOf('call.failed', { ...took, cause: 'schema' })).toEqual([
    ['gen_ai.client.operation.duration', 2.5, { ...of, 'error.type': 'schema' }],
    ['gen_ai.client.token.usage', 30, { ...of, 'gen_ai.token.type': 'input' }],
    ['gen_ai.client.token.usage', 12, { ...of, 'gen_ai.token.type': 'output' }],
    ['switchyard.cost', 150, of],
    ['switchyard.calls.failed', 1, { ...of, 'error.type': 'schema' }],
  ]);
});

test('metrics: a call that was never asked took no time and no tokens', () => {
  const names = countsOf('call.failed').map(([name]) => name);
  expect(names).toEqual(['switchyard.cost', 'switchyard.calls.failed']);
});

test('metrics: what a call cost that was called off is counted', () => {
  expect(countsOf('call.cancelled', { costMicroDollars: 70 })).toEqual([['switchyard.cost', 70, {}]]);
});

test('metrics: what was paid for an answer that nobody waited for is counted as waste', () => {
  const spend = { ...examples['run.settled'].spend, costMicroDollars: 90 };
  expect(countsOf('run.settled', { spend })).toEqual([
    ['switchyard.cost.wasted', 90, { 'switchyard.role': 'coder' }],
  ]);
});

test('metrics: a message is counted by its inbox, one that was delivered before also as such, and a lost race', () => {
  const delivery = { subject: 'yard.inbox.role.coder.some-task', deliveries: 1 } as Delivery;
  const attributes = { 'messaging.system': 'nats', 'messaging.destination.name': 'role.coder' };
  measureMessage(delivery)();
  measureMessage({ ...delivery, deliveries: 3 })();
  measureLostRace('coder');
  expect(measured).toEqual([
    ['messaging.client.consumed.messages', 1, attributes],
    ['messaging.process.duration', expect.any(Number), attributes],
    ['messaging.client.consumed.messages', 1, attributes],
    ['switchyard.messages.redelivered', 1, attributes],
    ['messaging.process.duration', expect.any(Number), attributes],
    ['switchyard.races.lost', 1, { 'switchyard.role': 'coder' }],
  ]);
});
