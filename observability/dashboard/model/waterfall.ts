import { findRow, type DataOf, type EventOf } from '../../../schemas/catalogue.ts';
import { shortType } from '../../../schemas/envelope.ts';
import type { Opens, Outcome } from '../../../schemas/run.ts';
import type { Work } from '../../../schemas/work.ts';
import { runIdOf } from '../../run-view.ts';
import type { RecordedEvent } from '../../task-view.ts';
import { durationText, modelText, stepText } from '../../wording.ts';
import { troubles, type Incident, type SignName } from './signs.ts';
import { signOfTask, wordOfTask } from './task-signal.ts';
import type { Track, TrackNode } from './track.ts';

/**
 * A task's events as the bars of a waterfall: `known` with those that came after it. A bar to which nothing new happened
 * is the same object as before; `known` stays as it is.
 */
export function waterfallOf(known: Track, fresh: readonly RecordedEvent[]): Track {
  const layer = openLayer(known);
  const from = known.nodeOfEvent.length;
  fresh.forEach((recorded, index) => layer.lay(recorded, from + index));
  return layer.track();
}

function openLayer(known: Track) {
  const top = [...known.top];
  const byId = new Map(known.byId);
  const nodeOfEvent = [...known.nodeOfEvent];
  const incidents = [...known.incidents];
  const stepOfRun = new Map(known.open.stepOfRun);
  const modelsOfRun = new Map(known.open.modelsOfRun);
  let { stop } = known.open;
  /** Bars that are new, or copies. */
  const own = new Set<string>();

  const put = (node: TrackNode, parent?: TrackNode): TrackNode => {
    own.add(node.id);
    byId.set(node.id, node);
    (parent ? parent.children : top).push(node);
    return node;
  };
  /** A bar to be changed: a copy, and so are those that hold it. */
  const take = (id: string | undefined): TrackNode | undefined => {
    const node = byId.get(id ?? '');
    if (!node || own.has(node.id)) return node;
    const copy = {
      ...node,
      incidents: [...node.incidents],
      events: [...node.events],
      children: [...node.children],
    };
    own.add(copy.id);
    byId.set(copy.id, copy);
    const siblings = take(copy.parent)?.children ?? top;
    siblings[siblings.lastIndexOf(node)] = copy;
    return copy;
  };
  const happened = (nodes: (TrackNode | undefined)[], one: Incident): void => {
    for (const node of nodes) node?.incidents.push(one);
    incidents.push(one);
  };
  const close = (node: TrackNode | undefined, index: number, atMs: number, outcome: SignName): void => {
    if (!node || node.closeIndex !== undefined) return;
    Object.assign(node, { closeIndex: index, closeAtMs: atMs, outcome });
  };
  const show = (index: number, node: TrackNode | undefined): void => {
    nodeOfEvent[index] = node?.id ?? '';
    node?.events.push(index);
  };

  function give(work: Work, index: number, atMs: number): TrackNode {
    const given = take(work.runId);
    if (given) return given;
    const item = work.itemCount > 1 ? `, item ${work.itemIndex + 1}/${work.itemCount}` : '';
    return put({
      ...bare(work.runId, 'run', 1, work.role, `${work.role}${item}`, index, atMs),
      runId: work.runId,
      cyclesLeft: work.cyclesLeft,
      hop: work.hop,
    });
  }

  function runNode(runId: string, role: string, index: number, atMs: number): TrackNode {
    return take(runId) ?? put({ ...bare(runId, 'run', 1, role, role, index, atMs), runId });
  }

  const openStepOf = (run: TrackNode): TrackNode | undefined => take(stepOfRun.get(run.id));

  function openStep(run: TrackNode, opens: Opens, index: number, atMs: number, models: string[]): void {
    const isCall = opens.kind === 'call';
    const id = isCall ? opens.callId : `${run.id}/${opens.number}`;
    if (byId.has(id)) return;
    const label = isCall ? `asks ${models[opens.choice] ?? 'a model'}` : stepText(opens);
    put(
      {
        ...bare(id, isCall ? 'call' : 'tool', 2, run.role, label, index, atMs),
        parent: run.id,
        runId: run.id,
        isScripted: run.isScripted,
        ...(isCall ? { callId: opens.callId } : { begunAtMs: atMs }),
      },
      run,
    );
    stepOfRun.set(run.id, id);
  }

  const sign = (name: SignName, index: number, atMs: number, text: string): Incident => ({
    sign: name,
    index,
    atMs,
    text,
  });

  function layTask(type: EventOf<'task'>, data: unknown, index: number, atMs: number): void {
    const { next } = data as { next?: Work };
    const name = signOfTask(type);
    close(take(stop), index, atMs, 'resumed');
    stop = undefined;
    const node = put(bare(`event-${index}`, 'signal', 1, 'manager', wordOfTask(type, data), index, atMs));
    show(index, node);
    if (type === 'task.paused' || type === 'task.waiting') {
      stop = node.id;
      const why = data as { reason?: string; mend?: string };
      happened([node], sign(name, index, atMs, why.reason ?? why.mend ?? ''));
    } else {
      close(node, index, atMs, name);
      if (troubles.has(name)) happened([node], sign(name, index, atMs, wordOfTask(type, data)));
    }
    if (next) give(next, index, atMs);
  }

  function layRoute(type: EventOf<'route'>, data: unknown, index: number, atMs: number): void {
    const { runId, role, work } = data as DataOf<EventOf<'route'>>;
    const run = work ? give(work, index, atMs) : runNode(runId, role, index, atMs);
    const id = `${runId}/route`;
    const node =
      take(id) ??
      put(
        {
          ...bare(id, 'route', 2, 'router', 'the router decides', index, run.openAtMs),
          parent: run.id,
          runId,
        },
        run,
      );
    show(index, node);
    if (type === 'route.waiting') {
      happened([node, run], sign('waits', index, atMs, (data as DataOf<'route.waiting'>).why));
      return;
    }
    const { choices } = data as DataOf<'route.decided'>;
    close(node, index, atMs, 'done');
    node.isScripted = choices[0]?.backend === 'scripted';
    run.isScripted = node.isScripted;
    modelsOfRun.set(run.id, choices.map(modelText));
    close(take(stop), index, atMs, 'resumed');
    stop = undefined;
  }

  function closeStep(run: TrackNode, index: number, atMs: number, outcome: Outcome | undefined): void {
    const step = openStepOf(run);
    if (!step) return;
    stepOfRun.delete(run.id);
    const tests = outcome?.tests;
    const name: SignName =
      outcome?.status === 'denied'
        ? 'denied'
        : outcome?.status === 'failed'
          ? 'failed'
          : tests
            ? tests.testsPass
              ? 'green'
              : 'red'
            : 'done';
    close(step, index, atMs, name);
    if (name === 'denied' || name === 'failed')
      happened([step, run], sign(name, index, atMs, `${step.label}: ${outcome?.output ?? ''}`));
    if (outcome?.adopted) step.incidents.push(sign('resumed', index, atMs, 'found done, nothing repeated'));
  }

  function layRun(type: EventOf<'run'>, recorded: RecordedEvent, index: number): void {
    const { atMs, event } = recorded;
    const run = runNode(runIdOf(recorded), event.sender ?? '', index, atMs);
    const step = openStepOf(run);
    switch (type) {
      case 'run.started': {
        const { choices, opens } = event.data as DataOf<'run.started'>;
        const models = choices.map(modelText);
        modelsOfRun.set(run.id, models);
        run.isScripted = choices[0]?.backend === 'scripted';
        run.begunAtMs = atMs;
        show(index, run);
        openStep(run, opens, index, atMs, models);
        return;
      }
      case 'run.replied': {
        const { opens, correction } = event.data as DataOf<'run.replied'>;
        show(index, step ?? run);
        closeStep(run, index, atMs, undefined);
        if (correction) happened([step, run], sign('corrected', index, atMs, correction));
        openStep(run, opens, index, atMs, modelsOfRun.get(run.id) ?? []);
        return;
      }
      case 'run.stepped': {
        const { outcome, opens } = event.data as DataOf<'run.stepped'>;
        show(index, step ?? run);
        closeStep(run, index, atMs, outcome);
        openStep(run, opens, index, atMs, modelsOfRun.get(run.id) ?? []);
        return;
      }
      case 'run.rerouted': {
        const { why, opens } = event.data as DataOf<'run.rerouted'>;
        show(index, step ?? run);
        stepOfRun.delete(run.id);
        close(step, index, atMs, 'retry');
        happened([step, run], sign('retry', index, atMs, why));
        openStep(run, opens, index, atMs, modelsOfRun.get(run.id) ?? []);
        return;
      }
      case 'run.taken_over': {
        const { from, claim } = event.data as DataOf<'run.taken_over'>;
        show(index, step ?? run);
        takenOver([step, run], from, claim.process, index, atMs);
        return;
      }
      case 'run.settled': {
        const { callId } = event.data as DataOf<'run.settled'>;
        const call = take(callId);
        show(index, call ?? run);
        call?.incidents.push(
          sign('late', index, atMs, 'answered when nobody waited any more: only its cost counts'),
        );
        return;
      }
      case 'run.concluded': {
        const { ending, outcome, reason, result } = event.data as DataOf<'run.concluded'>;
        show(index, step ?? run);
        if (step) run.events.push(index);
        closeStep(run, index, atMs, outcome);
        const verdict = result?.role === 'reviewer' ? result.verdict : undefined;
        const name =
          verdict === 'approve' ? 'approved' : verdict ? 'changes' : ending === 'done' ? 'done' : 'failed';
        close(run, index, atMs, ending === 'stopped' ? 'cancelled' : name);
        if (name === 'failed' && ending !== 'stopped') happened([run], sign('failed', index, atMs, reason));
        return;
      }
    }
  }

  function takenOver(
    nodes: (TrackNode | undefined)[],
    from: string,
    to: string,
    index: number,
    atMs: number,
  ) {
    const since = nodes[0]?.openAtMs ?? atMs;
    happened(nodes, sign('crash', index, atMs, `${from} is gone`));
    happened(
      nodes,
      sign('resumed', index, atMs, `${to} goes on, ${durationText(atMs - since)} after the step began`),
    );
  }

  function layCall(type: EventOf<'call'>, data: unknown, index: number, atMs: number): void {
    const { callId, runId } = data as { callId: string; runId?: string };
    const node = take(callId);
    show(index, node ?? take(runId));
    if (!node) return;
    const run = take(node.parent);
    switch (type) {
      case 'call.intended':
        node.begunAtMs = atMs;
        node.isScripted = (data as DataOf<'call.intended'>).backend === 'scripted';
        return;
      case 'call.taken_over': {
        const { from, claim } = data as DataOf<'call.taken_over'>;
        takenOver([node, run], from, claim.process, index, atMs);
        return;
      }
      case 'call.failed':
        happened([node, run], sign('failed', index, atMs, (data as DataOf<'call.failed'>).message));
        return;
      case 'call.cancelled':
        node.incidents.push(sign('cancelled', index, atMs, (data as DataOf<'call.cancelled'>).reason));
        return;
      case 'call.completed': {
        const { attempts } = (data as DataOf<'call.completed'>).reply;
        if (attempts > 1) happened([node, run], sign('retry', index, atMs, `${attempts} attempts`));
        return;
      }
    }
  }

  return {
    track(): Track {
      for (const id of own) {
        const node = byId.get(id)!;
        const { closeIndex = Infinity, incidents: happenedTo, events: places } = node;
        node.settledIndex = Math.max(closeIndex, happenedTo.at(-1)?.index ?? 0, places.at(-1) ?? 0);
      }
      return { top, byId, nodeOfEvent, incidents, open: { stepOfRun, modelsOfRun, stop } };
    },
    lay(recorded: RecordedEvent, index: number): void {
      const { event, atMs } = recorded;
      const row = findRow(shortType(event.type));
      nodeOfEvent[index] = '';
      if (row?.kind !== 'event') return;
      switch (row.journal) {
        case 'task':
          return layTask(row.type as EventOf<'task'>, event.data, index, atMs);
        case 'route':
          return layRoute(row.type as EventOf<'route'>, event.data, index, atMs);
        case 'run':
          return layRun(row.type as EventOf<'run'>, recorded, index);
        case 'call':
          return layCall(row.type as EventOf<'call'>, event.data, index, atMs);
        case 'mesh':
          return;
      }
    },
  };
}

function bare(
  id: string,
  kind: TrackNode['kind'],
  level: 1 | 2,
  role: string,
  label: string,
  openIndex: number,
  openAtMs: number,
): TrackNode {
  return {
    id,
    kind,
    level,
    role,
    label,
    openIndex,
    openAtMs,
    settledIndex: Infinity,
    incidents: [],
    events: [],
    children: [],
    isScripted: false,
  };
}
