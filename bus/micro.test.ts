import { expect, test } from 'vitest';
import { connect } from './connect.ts';
import { openMicro } from './micro.ts';
import { EVERYTHING, startTestServer } from './server-fixture.ts';

test('micro: an answer that is too large for the broker is refused in words, and its process lives', async () => {
  await using server = await startTestServer();
  const { name: user, password } = EVERYTHING;
  const bus = await connect(server.url, 'test', { user, password });
  const most = bus.connection.info!.max_payload;
  await openMicro({ meshName: 'mesh', version: '0.1.0' }, { bus, process: 'test.1' }, 'test', [
    {
      name: 'large',
      subject: 'test.large',
      answer: () => Promise.resolve({ ok: 'x'.repeat(most) }),
    },
  ]);
  const reply = await bus.connection.request('test.large', '', { timeout: 60_000 });
  expect(reply.headers?.get('Nats-Service-Error-Code')).toBe('500');
  expect(reply.headers?.get('Nats-Service-Error')).toContain('max_payload');
  await bus.connection.close();
});
