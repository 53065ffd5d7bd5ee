import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 200;

/** When a process started, as Linux tells it, since pids are used again; empty elsewhere. */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function lives(holder) {
  const [pid, start] = holder.trim().split(' ');
  if (!/^\d+$/.test(pid ?? '')) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (failure) {
    if (failure.code !== 'EPERM') return false;
  }
  return !start || startOf(pid) === start;
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** Creates the file whole, or answers false where there is one. */
function create(file, text) {
  const fresh = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  writeFileSync(fresh, text);
  try {
    linkSync(fresh, file);
    return true;
  } catch (failure) {
    if (failure.code === 'EEXIST') return false;
    throw failure;
  } finally {
    rmSync(fresh, { force: true });
  }
}

/**
 * Waits until no other set-up runs in this checkout, and resolves with the function that lets the next one run. A lock
 * whose process is dead is broken by one of those that wait.
 */
export async function holdSetUpLock(path, say) {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = `${path}.lock`;
  const mine = `${process.pid} ${startOf(process.pid)}\n`;
  let isWaiting = false;
  while (!create(file, mine)) {
    const holder = read(file);
    if (holder === undefined) continue;
    if (lives(holder)) {
      if (!isWaiting) say(`another set-up runs here (process ${holder.split(' ')[0]}); waiting for it`);
      isWaiting = true;
      await sleep(pollMs);
      continue;
    }
    // Whoever creates the file named after the dead holder may break its lock; nobody else touches it then.
    const breaker = `${file}.break-${createHash('sha256').update(holder).digest('hex').slice(0, 16)}`;
    if (create(breaker, mine)) {
      if (read(file) === holder) rmSync(file, { force: true });
      rmSync(breaker, { force: true });
    } else {
      const breaking = read(breaker);
      if (breaking !== undefined && !lives(breaking)) rmSync(breaker, { force: true });
      await sleep(pollMs);
    }
  }
  return () => rmSync(file, { force: true });
}
