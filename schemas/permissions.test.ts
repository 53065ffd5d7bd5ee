import { expect, test } from 'vitest';
import { covers } from '../tests/pages/covers.ts';
import { catalogue } from './catalogue.ts';
import { brokerUsers, permissionsOf } from './permissions.ts';
import { agentRoles, roles, type Role, type Row } from './row.ts';
import { journalSubject, poolInbox, roleInbox, streamNames, timerInbox } from './subject.ts';

const task = '7b0e2a1c-0000-4000-8000-000000000001';
const run = '7b0e2a1c-0000-4000-8000-000000000002';
const pools = ['local', 'gpu'];

const may = (list: string[], subject: string) => list.some((pattern) => covers(pattern, subject));
const maySay = (user: (typeof brokerUsers)[number], subject: string) =>
  may(permissionsOf(user, 'yard', pools).publish, subject);
const mayHear = (user: (typeof brokerUsers)[number], subject: string) =>
  may(permissionsOf(user, 'yard', pools).subscribe, subject);

test('the matcher of these tests follows the rules of NATS', () => {
  expect(covers('a.*.c', 'a.b.c')).toBe(true);
  expect(covers('a.*', 'a.b.c')).toBe(false);
  expect(covers('a.>', 'a.b.c')).toBe(true);
  expect(covers('a.>', 'a')).toBe(false);
  expect(covers('a.b', 'a')).toBe(false);
});

const journals = [
  ...agentRoles.map((role) => ({ entity: 'run' as const, role, authors: [role] as Role[] })),
  ...(['task', 'route', 'call'] as const).map((entity) => ({
    entity,
    role: undefined,
    authors: roles.filter((role) =>
      (catalogue as readonly Row[]).some(
        (row) => row.kind === 'event' && row.journal === entity && row.publishedBy.includes(role),
      ),
    ),
  })),
];

test.each(journals)(
  'permissions: the journal of $entity $role is written by $authors alone',
  ({ entity, role, authors }) => {
    expect(authors).toHaveLength(1);
    const subject = journalSubject('yard', { entity, taskId: task, id: run, ...(role ? { role } : {}) });
    const allowed = [...roles, 'operator' as const].filter((one) => maySay(one, subject));
    expect(allowed).toEqual(authors);
  },
);

test.each([
  ['coder', journalSubject('yard', { entity: 'task', taskId: task })],
  ['coder', journalSubject('yard', { entity: 'run', taskId: task, role: 'reviewer', id: run })],
  ['coder', journalSubject('yard', { entity: 'call', taskId: task, id: run })],
  ['coder', 'yard.submit'],
  ['coder', roleInbox('yard', 'reviewer', task)],
  ['coder', roleInbox('yard', 'router', task)],
  ['coder', timerInbox('yard', 'manager', task, 'deadline')],
  ['coder', timerInbox('yard', 'tester', task, 'call')],
  ['coder', 'yard.dead.manager.1'],
  ['coder', '$KV.yard_registry.reviewer.1'],
  ['coder', '$JS.API.CONSUMER.MSG.NEXT.YARD_INBOX.role-manager'],
  ['coder', '$JS.API.CONSUMER.CREATE.YARD_INBOX.role-coder.yard.inbox.role.reviewer.>'],
  ['coder', '$JS.API.CONSUMER.CREATE.YARD_INBOX.role-coder'],
  ['coder', '$JS.API.CONSUMER.CREATE.YARD_INBOX.mine.yard.inbox.>'],
  ['coder', '$JS.API.CONSUMER.DELETE.YARD_INBOX.role-coder'],
  ['coder', '$JS.ACK.YARD_INBOX.role-reviewer.1.2.3.4.5'],
  ['manager', journalSubject('yard', { entity: 'run', taskId: task, role: 'coder', id: run })],
  ['manager', poolInbox('yard', 'local', task)],
  ['router', journalSubject('yard', { entity: 'task', taskId: task })],
  ['router', poolInbox('yard', 'local', task)],
  ['reviewer', journalSubject('yard', { entity: 'task', taskId: task })],
  ['inference', journalSubject('yard', { entity: 'run', taskId: task, role: 'coder', id: run })],
  ['inference', '$JS.API.CONSUMER.MSG.NEXT.YARD_INBOX.pool-other'],
  ['coder', poolInbox('yard', 'gpu', task).replace('yard.', 'other.')],
  ...(['manager', 'coder', 'inference'] as const).flatMap(
    (role) =>
      [
        [role, '$JS.API.DIRECT.GET.YARD_INBOX'],
        [role, `$JS.API.DIRECT.GET.YARD_INBOX.${poolInbox('yard', 'gpu', task)}`],
        [role, `$JS.API.DIRECT.GET.YARD_INBOX.${roleInbox('yard', 'coder', task)}`],
        [role, '$JS.API.STREAM.MSG.GET.YARD_INBOX'],
      ] as const,
  ),
  ['operator', journalSubject('yard', { entity: 'task', taskId: task })],
  ['operator', '$JS.API.CONSUMER.CREATE.YARD_INBOX.mine.yard.inbox.>'],
  ['operator', '$JS.API.STREAM.DELETE.YARD_EVENTS'],
  ['coder', '$O.other_artifacts.M.c25hcHNob3Q='],
  ['coder', '$JS.API.STREAM.PURGE.OBJ_yard_artifacts'],
  ['coder', '$JS.API.STREAM.DELETE.OBJ_yard_artifacts'],
  ['coder', '$JS.API.STREAM.UPDATE.OBJ_yard_artifacts'],
  ['coder', '$JS.API.STREAM.MSG.DELETE.OBJ_yard_artifacts'],
  ['coder', '$JS.API.CONSUMER.CREATE.OBJ_yard_artifacts.abc.$O.yard_artifacts.M.>'],
  ['manager', '$O.yard_artifacts.M.c25hcHNob3Q='],
  ['router', '$O.yard_artifacts.C.abc'],
  ['inference', '$O.yard_artifacts.C.abc'],
  ['inference', '$JS.API.STREAM.MSG.GET.OBJ_yard_artifacts'],
  ['operator', '$O.yard_artifacts.M.c25hcHNob3Q='],
  ['operator', '$JS.API.STREAM.PURGE.OBJ_yard_artifacts'],
] as const)('permissions: the %s may not say %s', (user, subject) => {
  expect(maySay(user, subject)).toBe(false);
});

test.each(roles)('permissions: the %s may not touch a stream, nor another mesh', (role) => {
  for (const stream of Object.values(streamNames('yard'))) {
    for (const verb of ['DELETE', 'PURGE', 'UPDATE', 'CREATE', 'MSG.DELETE', 'RESTORE', 'SNAPSHOT']) {
      expect(maySay(role, `$JS.API.STREAM.${verb}.${stream}`), verb).toBe(false);
    }
  }
  expect(maySay(role, `other.event.${task}.task`)).toBe(false);
  expect(maySay(role, '$JS.API.STREAM.INFO.OTHER_EVENTS')).toBe(false);
  expect(maySay(role, '_INBOX.abc.1')).toBe(false);
  expect(mayHear(role, `other.event.${task}.task`)).toBe(false);
  expect(mayHear(role, 'yard.>')).toBe(false);
});

test.each(roles)(
  'permissions: the %s hears replies of its own only, and so no delivery to another',
  (role) => {
    for (const other of roles) expect(mayHear(role, `_INBOX_${other}.abc.1`), other).toBe(role === other);
    expect(mayHear(role, '_INBOX.abc.1')).toBe(false);
  },
);

test.each([
  ['manager', journalSubject('yard', { entity: 'task', taskId: task })],
  ['manager', roleInbox('yard', 'router', task)],
  ['manager', roleInbox('yard', 'coder', task)],
  ['manager', roleInbox('yard', 'manager', task)],
  ['manager', timerInbox('yard', 'manager', task, `watch.${run}`)],
  ['manager', 'yard.submit'],
  ['manager', '$JS.API.CONSUMER.MSG.NEXT.YARD_INBOX.submit'],
  ['manager', '$JS.API.CONSUMER.CREATE.YARD_INBOX.submit.yard.submit'],
  ['router', roleInbox('yard', 'tester', task)],
  ['router', roleInbox('yard', 'manager', task)],
  ['coder', journalSubject('yard', { entity: 'run', taskId: task, role: 'coder', id: run })],
  ['coder', roleInbox('yard', 'manager', task)],
  ['coder', roleInbox('yard', 'coder', task)],
  ['coder', poolInbox('yard', 'gpu', task)],
  ['coder', timerInbox('yard', 'coder', task, run)],
  ['coder', `yard.live.${task}.${run}`],
  ['coder', 'yard.dead.coder.1'],
  ['coder', 'yard.event.mesh.dead.1'],
  ['coder', 'yard.process.manager.ab12'],
  ['coder', '$KV.yard_registry.coder.ab12'],
  ['coder', '$JS.API.DIRECT.GET.YARD_EVENTS.yard.event.x.task'],
  ['coder', '$JS.ACK.YARD_INBOX.role-coder.1.2.3.4.5'],
  ['inference', journalSubject('yard', { entity: 'call', taskId: task, id: run })],
  ['inference', roleInbox('yard', 'reviewer', task)],
  ['inference', '$JS.API.CONSUMER.MSG.NEXT.YARD_INBOX.pool-gpu'],
  ['inference', '$JS.API.CONSUMER.MSG.NEXT.YARD_INBOX.role-inference'],
  ['coder', roleInbox('yard', 'inference', task)],
  ['coder', '$JS.API.STREAM.INFO.YARD_INBOX'],
  ['operator', 'yard.submit'],
  ['operator', 'yard.tasks.submit'],
  ['operator', 'yard.query.tasks'],
  ['operator', '$SRV.INFO'],
  ['operator', roleInbox('yard', 'coder', task)],
  ['operator', '$JS.API.CONSUMER.CREATE.YARD_EVENTS.abc.yard.event.>'],
  ...agentRoles.flatMap(
    (role) =>
      [
        [role, '$O.yard_artifacts.M.c25hcHNob3Q='],
        [role, '$O.yard_artifacts.C.abc'],
        [role, '$JS.API.STREAM.MSG.GET.OBJ_yard_artifacts'],
        [role, '$JS.API.CONSUMER.CREATE.OBJ_yard_artifacts.abc.$O.yard_artifacts.C.def'],
      ] as const,
  ),
  ['operator', '$JS.API.STREAM.MSG.GET.OBJ_yard_artifacts'],
  ['operator', '$JS.API.CONSUMER.CREATE.OBJ_yard_artifacts.abc.$O.yard_artifacts.C.def'],
  ['admin', '$JS.API.STREAM.CREATE.YARD_EVENTS'],
] as const)('permissions: the %s may say %s', (user, subject) => {
  expect(maySay(user, subject)).toBe(true);
});

test('permissions: a process hears its own probes and journals, the operator hears the mesh', () => {
  expect(mayHear('coder', 'yard.process.coder.ab12')).toBe(true);
  expect(mayHear('coder', 'yard.process.reviewer.ab12')).toBe(false);
  expect(
    mayHear('coder', journalSubject('yard', { entity: 'run', taskId: task, role: 'coder', id: run })),
  ).toBe(true);
  expect(mayHear('manager', 'yard.tasks.submit')).toBe(true);
  expect(mayHear('coder', 'yard.tasks.submit')).toBe(false);
  expect(mayHear('operator', `yard.event.${task}.task`)).toBe(true);
});

test('permissions: every message of the contract may be sent by each of its publishers', () => {
  for (const row of catalogue as readonly Row[]) {
    for (const author of row.publishedBy) {
      const before = permissionsOf(author, 'yard', pools).publish;
      expect(before.length, `${author} ${row.type}`).toBeGreaterThan(0);
      if (row.kind === 'timer') expect(maySay(author, timerInbox('yard', author, task, 'x'))).toBe(true);
      if (row.kind === 'request') expect(maySay(author, 'yard.submit')).toBe(true);
      if (row.kind !== 'command' && row.kind !== 'homecoming') continue;
      for (const consumer of row.consumedBy) {
        const inbox =
          consumer === 'inference' ? poolInbox('yard', 'gpu', task) : roleInbox('yard', consumer, task);
        expect(maySay(author, inbox), `${author} ${row.type} ${inbox}`).toBe(true);
      }
    }
  }
});

test('permissions: what leaves the processes only the operator says; a crash whoever sees it, and the observer says neither', () => {
  const everyone = [...roles, 'operator', 'observer'] as const;
  expect(everyone.filter((one) => maySay(one, 'yard.event.mesh.mode.all'))).toEqual(['operator']);
  expect(everyone.filter((one) => maySay(one, 'yard.event.mesh.crash.coder-1'))).toEqual([
    ...roles,
    'operator',
  ]);
  for (const one of everyone)
    for (const kind of ['mode', 'crash']) expect(mayHear(one, `yard.event.mesh.${kind}.all`), one).toBe(true);
});

test('permissions: the observer reads and answers, and writes nothing that anybody would believe', () => {
  const { publish, allowResponses } = permissionsOf('observer', 'yard', pools);
  expect(allowResponses).toBe(true);
  // Of itself, that it is alive.
  const ownKeys = '$KV.yard_registry.observer.>';
  expect(publish.filter((subject) => !subject.startsWith('$JS.API.'))).toEqual([ownKeys]);
  // A consumer could be made to deliver anywhere.
  expect(publish.filter((subject) => /CREATE|DELETE|UPDATE|PURGE|MSG\.NEXT|ACK/.test(subject))).toEqual([]);
  for (const subject of ['yard.query.tasks', `yard.event.${task}.task`, '$KV.yard_registry.coder.1'])
    expect(mayHear('observer', subject), subject).toBe(true);
  for (const subject of ['yard.submit', `yard.inbox.role.coder.${task}`, '_INBOX_coder.1', '_INBOX.1'])
    expect(mayHear('observer', subject), subject).toBe(false);
});

test('permissions: everyone says of itself alone that it is alive', () => {
  const everyone = [...roles, 'operator', 'observer'] as const;
  for (const name of [...roles, 'observer'])
    expect(everyone.filter((one) => maySay(one, `$KV.yard_registry.${name}.1`))).toEqual([name]);
  for (const one of everyone)
    for (const key of ['operator.1', 'observer', 'other.1', 'a'])
      expect(maySay(one, `$KV.yard_registry.${key}`), `${one} ${key}`).toBe(false);
});

test('permissions: a namespace or a pool that would widen a subject is refused', () => {
  for (const namespace of ['yard.>', '*', 'a b', '', 'yard.']) {
    expect(() => permissionsOf('coder', namespace, [])).toThrow(/cannot stand in a subject/);
  }
  expect(() => permissionsOf('inference', 'yard', ['*'])).toThrow(/the pool "\*"/);
});

test('permissions: another namespace gives other subjects throughout', () => {
  for (const user of brokerUsers.filter((one) => one !== 'admin')) {
    const { publish, subscribe } = permissionsOf(user, 'other', pools);
    expect([...publish, ...subscribe].filter((one) => /yard/i.test(one))).toEqual([]);
  }
});
