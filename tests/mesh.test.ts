import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { headers, type NatsConnection } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Value } from 'typebox/value';
import { stringify } from 'yaml';
import { connect as connectBus } from '../bus/connect.ts';
import { readCredential } from '../bus/credentials.ts';
import { openSigner, signatureHeader } from '../bus/signature.ts';
import { readMeshFile } from '../config/mesh-file.ts';
import { shortType, type Envelope } from '../schemas/envelope.ts';
import { queries, type QueryReply } from '../schemas/query.ts';
import { agentRoles, roles } from '../schemas/row.ts';
import { findNatsCli } from './nats-cli.ts';
import { idInRecipe, recipes, recipeTests, runRecipe } from './pages/run-recipe.ts';
import { adder, adderScript, adderTest, slowScene } from './scenes.ts';
import { openTerminal, processesOn, resultOf, type Terminal, type Up } from './terminal.ts';
import { eventually, followUntil } from './yard-parts.ts';

// Two meshes, used from top to bottom: the tests follow each other.
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

let terminal: Terminal;
let config: string;
/** One that is empty at first. */
let first: Up;
/** The demo, in which a coder is killed. */
let second: Up;

beforeAll(async () => {
  terminal = await openTerminal();
  const script = join(terminal.area, 'script.yaml');
  writeFileSync(script, stringify([slowScene, ...adderScript]));
  config = terminal.configure('switchyard.yaml', {
    mesh: { leaseMs: 2000 },
    processes: { coder: 1, planner: 1, tester: 1 },
    allow: { repositories: [terminal.area], tests: [adderTest, ...recipeTests] },
    models: { scripted: { backend: 'scripted', pool: 'scripted', script } },
    // Replies that were written beforehand are never chosen unasked.
    roles: Object.fromEntries(agentRoles.map((role) => [role, { models: ['scripted'] }])),
  });
});
afterAll(() => terminal?.close());

/** What the `nats` CLI would find under a name. */
const contextFile = (name: string) => join(terminal.area, 'configuration/nats/context', `${name}.json`);
const contexts = () => readdirSync(join(terminal.area, 'configuration/nats/context')).toSorted();

/** As `nats --context NAME` connects. */
async function withContext<Result>(
  name: string,
  work: (nats: NatsConnection) => Promise<Result>,
): Promise<Result> {
  const { url, user, password } = JSON.parse(readFileSync(contextFile(name), 'utf8')) as Record<
    string,
    string
  >;
  const nats = await connect({ servers: url!, user: user!, pass: password! });
  try {
    return await work(nats);
  } finally {
    await nats.close();
  }
}

const endings = ['task.completed', 'task.failed', 'task.paused', 'task.cancelled'];
/** Waits for the end of a task and gives its short type. */
async function ended(up: Up, taskId: string): Promise<string> {
  const last = await followUntil(up.client, taskId, (_one, type) => endings.includes(type));
  return shortType(last.event.type);
}

test('mesh: what is published while only the broker runs, without any header, is done once the roles start', async () => {
  const repository = terminal.makeRepository('early', adder);
  const broker = await terminal.up('first', ['--config', config, '--broker-only']);
  await withContext('switchyard', async (nats) => {
    nats.publish('yard.submit', encode({ goal: 'Make the tests pass', repository, test: adderTest }));
    await nats.flush();
  });
  const status = await broker.switchyard(['status', '--json']);
  expect(resultOf(status)).toMatchObject({
    processes: [],
    backlogs: expect.arrayContaining([{ consumer: 'submit', waiting: 1, inHand: 0 }]),
  });
  broker.kill('SIGTERM');
  expect((await broker.ended).code).toBe(0);
  // It took its context with it.
  expect(contexts()).toEqual([]);

  first = await terminal.up('first', ['--config', config]);
  const taskId = await eventually(
    async () => (await first.client.taskJournals())[0]?.taskId,
    'the task to be there',
  );
  expect(await ended(first, taskId)).toBe('task.completed');
});

test('mesh: rebuild has the whole record read again, and answers when it is', async () => {
  const totals = () =>
    withContext('switchyard', async (nats) =>
      (await nats.request('yard.query.totals', '{}', { timeout: 60_000 })).json<QueryReply<'totals'>>(),
    );
  // Nobody waits for the observer when a mesh starts: it may not have read what the first test did.
  await expect.poll(async () => (await totals().catch(() => undefined))?.byState).toEqual({ completed: 1 });
  const before = await totals();
  const ran = await first.switchyard(['rebuild', '--json']);
  expect(ran).toMatchObject({ code: 0 });
  const { rebuilt, events } = resultOf<{ rebuilt: boolean; events: number }>(ran);
  expect(rebuilt).toBe(true);
  expect(events).toBeGreaterThanOrEqual(before.events);
  const after = await totals();
  expect(after.record).not.toBe(before.record);
  expect(after.tasks).toEqual(before.tasks);
});

test('mesh: whoever reads the record leaves nothing behind at the broker', async () => {
  const consumers = async () =>
    (await first.client.bus.manager.streams.info('YARD_EVENTS')).state.consumer_count;
  const before = await consumers();
  for (let times = 0; times < 20; times += 1) await first.client.taskJournals();
  expect(await consumers()).toBe(before);
});

test('mesh: a command waits for a broker that does not answer for some seconds', async () => {
  const broker = first.mesh.processes.find((one) => one.name === 'nats-server')!.pid;
  process.kill(broker, 'SIGSTOP');
  try {
    const status = first.switchyard(['status']);
    // Longer than one attempt to connect lasts.
    await sleep(4500);
    process.kill(broker, 'SIGCONT');
    const { code, error } = await status;
    expect(code, error).toBe(0);
  } finally {
    process.kill(broker, 'SIGCONT');
  }
});

test('mesh: a second one has a name of its own, and neither sees the other', async () => {
  second = await terminal.up('second', ['--demo']);
  const [own, ...others] = contexts().map((name) => name.replace('.json', ''));
  expect([own, others.length]).toEqual([expect.stringMatching(/^switchyard-[0-9a-f]{4}$/), 1]);
  expect(others).toEqual(['switchyard']);
  for (const name of [own!, ...others]) expect(statSync(contextFile(name)).mode & 0o777).toBe(0o600);
  const urlOf = (name: string) =>
    (JSON.parse(readFileSync(contextFile(name), 'utf8')) as { url: string }).url;
  expect([urlOf('switchyard'), urlOf(own!)]).toEqual([first.mesh.url, second.mesh.url]);
  expect(first.mesh.url).not.toBe(second.mesh.url);
  // What to do next is said when the demo is over.
  await second.says(new RegExp(`nats --context ${own} `));
  const tasksOf = async (up: Up) => (await up.client.taskJournals()).map(({ taskId }) => taskId);
  await eventually(async () => (await tasksOf(second)).length > 0, 'the demo to begin');
  const [here, there] = [await tasksOf(first), await tasksOf(second)];
  expect(here.filter((taskId) => there.includes(taskId))).toEqual([]);
});

test('mesh: $SRV.PING is answered by every role, and by the observer', async () => {
  // The observer is started after the roles, and nothing waits for it.
  const expected = [...roles, 'observer'].map((role) => `switchyard-${role}`).toSorted();
  await withContext('switchyard', async (nats) => {
    const ping = async () => {
      const answers = await nats.requestMany('$SRV.PING', new Uint8Array(), {
        strategy: 'stall',
        maxWait: 2000,
        stall: 500,
      });
      const found = new Set<string>();
      for await (const answer of answers) found.add(answer.json<{ name: string }>().name);
      return [...found].toSorted();
    };
    await expect.poll(ping).toEqual(expected);
  });
});

test('mesh: a request at yard.tasks.submit is answered with the id of its task, or with all that is wrong', async () => {
  const repository = terminal.makeRepository('requested', adder);
  const [good, bad, unreadable] = await withContext('switchyard', (nats) =>
    Promise.all(
      [
        encode({ repository, test: adderTest }),
        encode({ goal: 7, test: '' }),
        new TextEncoder().encode('{"goal":'),
      ].map((body) => nats.request('yard.tasks.submit', body, { timeout: 60_000 })),
    ),
  );
  const { taskId } = good!.json<{ taskId: string }>();
  expect(good!.headers?.get('Nats-Service-Error-Code') ?? '').toBe('');
  expect(bad!.headers?.get('Nats-Service-Error-Code')).toBe('400');
  const { errors } = bad!.json<{ errors: string[] }>();
  expect(errors.join('\n')).toMatch(/goal/);
  expect(errors.join('\n')).toMatch(/test/);
  expect(errors.join('\n')).toMatch(/repository/);
  expect(unreadable!.headers?.get('Nats-Service-Error')).toContain('cannot be read');
  expect(unreadable!.string()).toContain('JSON');
  expect(await ended(first, taskId)).toBe('task.completed');
});

test('mesh: every line for the `nats` CLI on our pages does what its page says', async (context) => {
  const cli = await findNatsCli();
  if ('missing' in cli) return context.skip(cli.missing);
  const at = (verb: string) =>
    recipes.filter((line) => line.startsWith(`nats --context switchyard ${verb} `));
  // Where whoever follows the tour would be.
  const place = join(terminal.area, 'recipes');
  const repository = terminal.makeRepository('recipes/.switchyard/demo/meeting-slots', adder);
  let taskId = '';
  const ran = new Set<string>();
  const run = (line: string) => {
    ran.add(line);
    const filled = line.replace('"/path"', `"${repository}"`).replace(idInRecipe, taskId);
    const how = { program: cli.program, cwd: place, environment: terminal.environment };
    const started = runRecipe(filled, how);
    context.onTestFinished(started.kill);
    return started;
  };
  const said = async (line: string) => {
    const started = run(line);
    expect(await started.ended, line).toBe(0);
    return started.out();
  };

  const listening = at('sub')
    .filter((line) => !idInRecipe.test(line))
    .map(run);
  for (const one of listening) await one.says('Subscribing');
  const known = new Set((await first.client.taskJournals()).map((one) => one.taskId));
  const submitted = [...at('pub yard.submit'), ...at('req yard.tasks.submit')];
  for (const line of submitted) await said(line);
  const taken = await eventually(async () => {
    const all = (await first.client.taskJournals()).filter((one) => !known.has(one.taskId));
    return all.length === submitted.length ? all.map((one) => one.taskId) : undefined;
  }, 'a task for each');
  // They are as good as done: what follows is not about them.
  for (const one of taken) await first.client.request('task.cancel', { taskId: one });
  for (const one of taken) expect(await ended(first, one)).toBe('task.cancelled');
  taskId = taken[0]!;

  // The read model may be a moment behind the record.
  for (const { name, reply } of queries)
    for (const line of at(`req yard.query.${name}`)) {
      const wrong = async () => {
        const answer = /^\{.*$/m.exec(await said(line))![0];
        return Value.Errors(reply, JSON.parse(answer));
      };
      await expect.poll(wrong, { message: line }).toEqual([]);
    }
  for (const line of at('micro')) expect(await said(line)).toContain('switchyard-manager');
  const reading = at('sub')
    .filter((line) => idInRecipe.test(line))
    .map(run);
  for (const one of [...listening, ...reading]) await one.says('dev.switchyard.task.cancelled.v1');
  expect([...ran].toSorted()).toEqual(recipes.toSorted());
});

test('mesh: the same source and id is the same task however it is sent, also long after', async () => {
  const repository = terminal.makeRepository('twice', adder);
  const words = ['submit', '--repo', repository, '--test', adderTest, '--source', '/ci', '--id', 'build-1'];
  const before = (await first.client.taskJournals()).length;
  const one = await first.switchyard([...words, '--json']);
  expect(one).toMatchObject({ code: 0 });
  const { taskId } = resultOf<{ taskId: string }>(one);
  expect(await ended(first, taskId)).toBe('task.completed');
  const events = (await first.client.read(taskId)).length;
  // As a CloudEvent in binary mode, without the message id by which a stream knows a copy.
  await withContext('switchyard', async (nats) => {
    const header = headers();
    const attributes = {
      specversion: '1.0',
      type: 'dev.switchyard.task.submit.v1',
      source: '/ci',
      id: 'build-1',
    };
    for (const [name, value] of Object.entries(attributes)) header.set(`ce-${name}`, value);
    nats.publish('yard.submit', encode({ repository, test: adderTest }), { headers: header });
    await nats.flush();
  });
  const again = await first.switchyard([...words, '--json']);
  expect(resultOf(again)).toMatchObject({ taskId });
  expect(again.error).toContain('known already');
  expect(again.error).not.toContain('another');
  const other = await first.switchyard([...words, '--goal', 'Something else']);
  expect(other).toMatchObject({ code: 0, out: `${taskId}\n` });
  expect(other.error).toContain('it was asked for with another goal');
  expect(other.error).not.toContain('accepted');
  await eventually(
    async () =>
      (await first.client.backlogs()).every(
        (one) => one.consumer !== 'submit' || one.waiting + one.inHand === 0,
      ),
    'both copies to be decided on',
  );
  expect((await first.client.taskJournals()).length).toBe(before + 1);
  expect((await first.client.read(taskId)).length).toBe(events);
});

/** Nothing of a process, or of what it has open, that ended a moment ago. */
function unlessGone(read: () => string[]): string[] {
  try {
    return read();
  } catch {
    return [];
  }
}

/** Ports on which the processes listen, whatever the address, as the kernel lists them. */
function listeningPorts(pids: number[]): number[] {
  const ports = new Set<number>();
  for (const pid of pids) {
    const links = unlessGone(() => readdirSync(`/proc/${pid}/fd`)).map((fd) =>
      unlessGone(() => [readlinkSync(`/proc/${pid}/fd/${fd}`)]).join(),
    );
    const inodes = new Set(links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? ''));
    for (const table of ['tcp', 'tcp6']) {
      const lines = unlessGone(() => readFileSync(`/proc/${pid}/net/${table}`, 'utf8').trim().split('\n'));
      for (const line of lines.slice(1)) {
        const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
        if (state === '0A' && inodes.has(inode)) ports.add(Number.parseInt(local.split(':')[1]!, 16));
      }
    }
  }
  return [...ports];
}

test('mesh: one more coder joins, takes its share, and is stopped in the middle without a loss', async () => {
  const starting = terminal.start(['--state', first.stateDirectory, '--config', config, 'start', 'coder']);
  const [, joined] = await starting.says(/(coder\.\w+) \(pid \d+\) serves/);
  const taskIds = await Promise.all(
    Array.from({ length: 6 }, async (_, place) => {
      const repository = terminal.makeRepository(`shared-${place}`, adder);
      const asked = { goal: 'Mend the sum slowly', plan: 'single' as const, repository, test: adderTest };
      return (await first.client.request('task.submit', asked)).taskId;
    }),
  );
  const startedBy = async () => {
    const events = (await Promise.all(taskIds.map((taskId) => first.client.read(taskId)))).flat();
    return events
      .filter(({ event }) => shortType(event.type) === 'run.started' && event.sender === 'coder')
      .map(({ event }) => (event.data as { given: { process: string } }).given.process);
  };
  await eventually(async () => (await startedBy()).length === 6, 'all to be begun');
  const processes = await startedBy();
  expect(new Set(processes).size).toBe(2);
  expect(processes).toContain(joined);

  // All of both, and what they started, listen nowhere but where the mesh says.
  const pids = processesOn(first.stateDirectory);
  expect(pids.length).toBeGreaterThan(first.mesh.processes.length);
  expect(new Set(listeningPorts(pids))).toEqual(new Set(Object.values(first.mesh.ports)));

  starting.kill('SIGTERM');
  expect((await starting.ended).code).toBe(0);
  const ends = await Promise.all(taskIds.map((taskId) => ended(first, taskId)));
  expect(ends).toEqual(taskIds.map(() => 'task.completed'));
});

test('mesh: replay --verify finds the record of a task with a crash in it equal, and one that was tampered with not', async (context) => {
  if (!terminal.isSandboxed) context.skip('no sandbox here, so the demo ends where its coder was killed');
  const [demo] = await second.client.taskJournals();
  const { taskId } = demo!;
  expect(await ended(second, taskId)).toBe('task.completed');
  const verify = () => second.switchyard(['replay', 'latest', '--verify', '--json']);
  const events = await second.client.read(taskId);
  expect(events.some(({ event }) => shortType(event.type) === 'run.taken_over')).toBe(true);
  const equal = await verify();
  expect(equal).toMatchObject({ code: 0 });
  expect(resultOf(equal)).toMatchObject({ isEqual: true, problems: [], events: events.length });

  // Whoever has all rights on the broker, but not the manager's key.
  const admin = await connectBus(second.mesh.url, 'tamperer', {
    user: 'admin',
    password: (await readCredential(second.stateDirectory, 'admin')).password,
  });
  try {
    const completed = events.find(({ event }) => shortType(event.type) === 'task.completed')!;
    const forge = async (event: Envelope, sign?: (subject: string, body: Uint8Array) => string) => {
      const body = encode(event);
      const header = headers();
      header.set('Content-Type', 'application/cloudevents+json');
      if (sign) header.set(signatureHeader, sign(completed.journal, body));
      await admin.jetstream.publish(completed.journal, body, { headers: header });
    };
    await forge({ ...completed.event, id: 'forged' });
    const unsigned = await verify();
    expect(unsigned.code).toBe(1);
    expect(resultOf<{ problems: { what: string }[] }>(unsigned).problems).toMatchObject([
      { type: 'task.completed', what: expect.stringContaining('not signed by the manager') },
    ]);

    // With the key: it is believed, but it is not what would have been decided.
    const { privateKey } = await readCredential(second.stateDirectory, 'manager');
    await forge({ ...completed.event, id: 'forged again' }, openSigner(privateKey));
    const signed = await verify();
    expect(signed.code).toBe(1);
    expect(resultOf<{ problems: object[] }>(signed).problems).toHaveLength(2);
    expect(signed.out).toContain('it is decided otherwise now');
  } finally {
    await admin.connection.close();
  }
});

test('mesh: Ctrl-C ends it all, and says so with 130', async () => {
  second.kill('SIGINT');
  expect((await second.ended).code).toBe(130);
  expect(processesOn(second.stateDirectory)).toEqual([]);
  expect(existsSync(join(second.stateDirectory, 'mesh.json'))).toBe(false);
  expect(contexts()).toEqual(['switchyard.json']);
});

test('mesh: whoever looks for a process finds the one that took the place of another', async () => {
  const pidOf = (role: string) =>
    readMeshFile(first.stateDirectory)?.processes.find((one) => one.name === role)?.pid;
  const router = pidOf('router')!;
  process.kill(router, 'SIGKILL');
  const next = await eventually(
    () => (pidOf('router') === router ? undefined : pidOf('router')),
    'the next router',
  );
  expect(processesOn(first.stateDirectory)).toContain(next);
});

test('mesh: kill -9 of up leaves nothing alive, and the next up goes on with the task', async () => {
  const repository = terminal.makeRepository('orphaned', adder);
  const { taskId } = await first.client.request('task.submit', {
    goal: 'Mend the sum slowly',
    plan: 'single',
    repository,
    test: adderTest,
  });
  await followUntil(first.client, taskId, (_one, type) => type === 'call.intended');
  first.kill('SIGKILL');
  await eventually(() => processesOn(first.stateDirectory).length === 0, 'all of it to be gone');
  const logs = join(first.stateDirectory, 'logs');
  for (const name of readdirSync(logs))
    expect(readFileSync(join(logs, name), 'utf8'), name).not.toContain('nobody caught');

  // What it said of itself is still there, and nobody waits for a broker that is gone.
  const orphaned = await first.switchyard(['status']);
  expect(orphaned).toMatchObject({ code: 6, error: expect.stringContaining('no mesh runs on') });
  const again = await terminal.up('first', ['--config', config]);
  expect(await ended(again, taskId)).toBe('task.completed');
  expect(resultOf(await again.switchyard(['replay', taskId, '--verify', '--json']))).toMatchObject({
    isEqual: true,
  });
  expect(contexts()).toEqual(['switchyard.json']);

  // A broker that dies is started anew, and what is under way goes on.
  const under = await again.client.request('task.submit', {
    goal: 'Mend the sum slowly',
    plan: 'single',
    repository,
    test: adderTest,
  });
  await followUntil(again.client, under.taskId, (_one, type) => type === 'call.intended');
  process.kill(again.mesh.processes.find((one) => one.name === 'nats-server')!.pid, 'SIGKILL');
  await again.says(/the nats-server ended \(SIGKILL\); it is started anew[\s\S]*the nats-server runs again/);
  expect(await ended(again, under.taskId)).toBe('task.completed');
  // All are told at once, the broker too, as when a machine shuts down.
  for (const pid of processesOn(first.stateDirectory)) process.kill(pid, 'SIGTERM');
  expect((await again.ended).code).toBe(0);
  expect(processesOn(first.stateDirectory)).toEqual([]);
});
