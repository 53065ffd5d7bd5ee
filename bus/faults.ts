/**
 * Points at which a process can be made to die or to stop, for the tests and for the demo's own kill.
 * Nothing happens unless SWITCHYARD_FAULT names a point: `POINT[=DETAIL]:ACTION`, several joined by commas. Each
 * fires once a process. A detail is matched from its end. Actions: `kill` (SIGKILL to itself), `crash`
 * (SIGSEGV, as native code dies), `stop` (SIGSTOP, a zombie until it is continued), `hold`
 * (waits up to ten seconds for somebody to kill it).
 */
export type FaultPoint = 'taken' | 'decided' | 'appended' | 'acted' | 'resulted' | 'relayed';

const planned = (process.env['SWITCHYARD_FAULT'] ?? '')
  .split(',')
  .filter((text) => text !== '')
  .map((text) => {
    const [where = '', action = ''] = text.split(':');
    const [point = '', detail] = where.split('=');
    return { point, detail, action, isSpent: false };
  });

/** `detail` narrows a point down: the message's type, or `<runId>.edit-file.4.1` for run, tool, step number and epoch. */
export async function reach(point: FaultPoint, detail: string): Promise<void> {
  if (planned.length === 0) return;
  const fault = planned.find(
    (one) => !one.isSpent && one.point === point && (one.detail === undefined || detail.endsWith(one.detail)),
  );
  if (!fault) return;
  fault.isSpent = true;
  if (fault.action === 'kill') process.kill(process.pid, 'SIGKILL');
  if (fault.action === 'crash') process.kill(process.pid, 'SIGSEGV');
  if (fault.action === 'stop') process.kill(process.pid, 'SIGSTOP');
  process.send?.({ isHolding: `${point}=${detail}` });
  if (fault.action === 'hold') await new Promise((resolve) => setTimeout(resolve, 10_000));
}
