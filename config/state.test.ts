import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readMeshFile, removeMeshFile, writeMeshFile, type MeshFile } from './mesh-file.ts';
import { writePrivateFile } from './private-file.ts';
import { checkoutRoot, createStateDirectory, meshFile, resolveStateDirectory } from './state.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-state-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const mesh: MeshFile = {
  name: 'switchyard',
  namespace: 'yard',
  url: 'nats://127.0.0.1:4222',
  ports: { nats: 4222 },
  processes: [{ name: 'nats-server', pid: 1, startedAt: '22' }],
  startedAtMs: 1_700_000_000_000,
};

test('state folder: --state, then SWITCHYARD_STATE, then .switchyard in the checkout', () => {
  const environment = { SWITCHYARD_STATE: '/elsewhere' };
  const currentDirectory = '/here';
  expect(resolveStateDirectory({ flag: 'there', environment, currentDirectory })).toBe('/here/there');
  expect(resolveStateDirectory({ environment, currentDirectory })).toBe('/elsewhere');
  expect(resolveStateDirectory({ environment: {}, currentDirectory })).toBe(
    join(checkoutRoot, '.switchyard'),
  );
  expect(resolveStateDirectory({ flag: '', environment: { SWITCHYARD_STATE: '' } })).toBe(
    join(checkoutRoot, '.switchyard'),
  );
  expect(existsSync(join(checkoutRoot, 'package.json'))).toBe(true);
});

test('state folder: it is made for its owner only and git leaves it alone', () => {
  const state = join(folder, 'a', 'b');
  createStateDirectory(state);
  createStateDirectory(state);
  expect(statSync(state).mode & 0o777).toBe(0o700);
  expect(readFileSync(join(state, '.gitignore'), 'utf8')).toBe('*\n');
});

test("state folder: a project's folder and a home are not taken for one, and nothing in them is changed", () => {
  const project = join(folder, 'project');
  mkdirSync(project, { mode: 0o700 });
  writeFileSync(join(project, '.gitignore'), 'node_modules\n');
  expect(() => createStateDirectory(project)).toThrow(/used for something else; .* --state DIR/);
  expect(readFileSync(join(project, '.gitignore'), 'utf8')).toBe('node_modules\n');

  const home = join(folder, 'home');
  mkdirSync(home, { mode: 0o700 });
  writeFileSync(join(home, '.profile'), '');
  vi.stubEnv('HOME', home);
  expect(() => createStateDirectory(home)).toThrow(/used for something else/);
  expect(readdirSync(home)).toEqual(['.profile']);
});

test('state folder: one that cannot be used is named with the mend', () => {
  writeFileSync(join(folder, 'file'), '');
  expect(() => createStateDirectory(join(folder, 'file'))).toThrow(
    /cannot be used .* choose another with --state DIR/,
  );
});

test('mesh file: it is read as it was written, by its owner only, until it is removed', () => {
  expect(readMeshFile(folder)).toBeUndefined();
  writeMeshFile(folder, mesh);
  expect(readMeshFile(folder)).toEqual(mesh);
  expect(statSync(meshFile(folder)).mode & 0o777).toBe(0o600);
  removeMeshFile(folder);
  removeMeshFile(folder);
  expect(readMeshFile(folder)).toBeUndefined();
});

test.each(['', '{', '[]', '{"url": 3, "processes": []}'])(
  'mesh file: a damaged one (%s) is named with the mend',
  (text) => {
    writeFileSync(meshFile(folder), text);
    expect(() => readMeshFile(folder)).toThrow(/mesh.json: it is damaged; delete it and run/);
  },
);

test('private file: a write that fails leaves the old text and nothing else', () => {
  const file = join(folder, 'x');
  writePrivateFile(file, 'old');
  expect(() => writePrivateFile(join(folder, 'x', 'y'), 'new')).toThrow();
  expect(readFileSync(file, 'utf8')).toBe('old');
});
