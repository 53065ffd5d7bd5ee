import { foldRun } from './coder.ts';
import { foldTask } from './manager.ts';
import { type Mesh, type Transition, spell } from './mesh.ts';
import { publish } from './publish.ts';
import { isAnswered } from './roles.ts';
import {
  type Input,
  type Message,
  type Process,
  type State,
  atRest,
  heldBy,
  isSameDelivery,
  journalIn,
  more,
  spend,
  withMessage,
  withProcess,
} from './state.ts';

/** Every fault that may strike now, and all that the user may do. */
export function faults(mesh: Mesh, state: State): Transition[] {
  return [
    ...state.processes.flatMap((process, index) => crashes(state, process, index)),
    ...state.messages.flatMap((message) => [
      ...lapses(state, message),
      ...forgets(state, message),
      ...loses(state, message),
    ]),
    ...requests(mesh, state),
    ...(state.left.sweep > 0 ? sweeps(mesh, spend(state, 'sweep')) : []),
  ].map((transition) => ({ ...transition, isFault: true }));
}

const delivered = (message: Message): Message => ({
  ...message,
  isHeld: false,
  deliveries: message.deliveries + 1,
  forgotten: 0,
});

function crashes(state: State, process: Process, index: number): Transition[] {
  if (state.left.crash === 0 || !process.delivery) return [];
  const dead = withProcess(spend(state, 'crash'), index, atRest(process));
  const held = heldBy(dead, process.delivery);
  const freed = held ? withMessage(dead, held, delivered(held)) : dead;
  // A zombie's lease was counted when it ended.
  const leasesEnded = process.isZombie ? freed.leasesEnded : more(freed.leasesEnded, process.delivery.input);
  const says = `${process.role} CRASHES before '${process.next}' of ${spell(process.delivery)}`;
  return [{ to: { ...freed, leasesEnded }, says }];
}

function lapses(state: State, message: Message): Transition[] {
  if (state.left.lapse === 0 || !message.isHeld) return [];
  const index = state.processes.findIndex(({ delivery }) => isSameDelivery(message, delivery));
  if (index < 0) return [];
  const zombie = { ...state.processes[index]!, isZombie: true };
  const to = withMessage(withProcess(spend(state, 'lapse'), index, zombie), message, delivered(message));
  const leasesEnded = more(to.leasesEnded, message.input);
  return [{ to: { ...to, leasesEnded }, says: `the lease of ${spell(message)} ENDS, its holder goes on` }];
}

/** A broker that was killed counts the next delivery as if this one had never been. */
function forgets(state: State, message: Message): Transition[] {
  if (state.left.forget === 0 || !message.isHeld) return [];
  const forgotten = { ...message, isHeld: false, forgotten: message.forgotten + 1 };
  const to = withMessage(spend(state, 'forget'), message, forgotten);
  return [{ to, says: `the broker FORGETS that it delivered ${spell(message)}` }];
}

function loses(state: State, message: Message): Transition[] {
  // What the user sends is out of our hands: nothing of ours could bring it again.
  if (state.left.lose === 0 || !message.input.includes(' ')) return [];
  return [{ to: withMessage(spend(state, 'lose'), message), says: `the broker LOSES ${spell(message)}` }];
}

function requests({ configuration }: Mesh, state: State): Transition[] {
  const { status } = foldTask(journalIn(state, 'task'));
  const send = (from: State, input: Input) =>
    publish(from, input).map(({ to, says }) => ({ to, says: `the user sends ${says}` }));
  return [
    ...(state.left.cancel > 0 ? send(spend(state, 'cancel'), 'cancel') : []),
    ...(state.left.pause > 0 && status === 'running' ? send(spend(state, 'pause'), 'pause') : []),
    ...(configuration.faults.pause && status === 'paused' && !state.published['resume']
      ? send(state, 'resume')
      : []),
  ];
}

/** The lease of a message ends whose holder went on to something else without a word. */
export function abandoned(state: State): Transition[] {
  return state.messages
    .filter(
      (message) => message.isHeld && !state.processes.some((one) => isSameDelivery(message, one.delivery)),
    )
    .map((message) => ({
      to: withMessage(state, message, delivered(message)),
      says: `the lease of ${spell(message)}, which nobody holds any more, ends`,
    }));
}

/** A periodic sweep that finds the mesh at rest. Counted, so that a mesh that never settles is found stuck. */
export function sweepsAtRest(mesh: Mesh, state: State): Transition[] {
  if (state.restSweepsLeft === 0 || !mesh.inForce('sweep')) return [];
  return sweeps(mesh, { ...state, restSweepsLeft: state.restSweepsLeft - 1 });
}

function sweeps(mesh: Mesh, state: State): Transition[] {
  const inputs = sweptInputs(mesh, state);
  if (inputs.length === 0) return [];
  let states = [state];
  for (const input of inputs) {
    states = states.flatMap((from) =>
      publish(from, input, mesh.inForce('sweep with a fresh id')).map(({ to }) => to),
    );
  }
  return states.map((to) => ({ to, says: `a SWEEP brings ${inputs.join(', ')}` }));
}

/** Rule 15: for each open command, its answer if there is one, else the command again. */
function sweptInputs({ configuration, inForce }: Mesh, state: State): Input[] {
  const task = foldTask(journalIn(state, 'task'));
  const run = (name: string | number) => foldRun(journalIn(state, `run ${name}`));
  const pulls = inForce('sweep pulls answers');
  const inputs: Input[] = [];
  if (task.status === 'running') {
    inputs.push(pulls && run(task.run).concluded ? `conclusion ${task.run}` : `route ${task.run}`);
  }
  if (task.stops && !run(task.stops).concluded) inputs.push(`stop ${task.stops}`);
  for (const name of Object.keys(state.journals)) {
    const [entity, about] = name.split(' ') as [string, string];
    if (entity === 'route' && pulls && !state.journals[`run ${about}`]) inputs.push(`start ${about}`);
    if (entity !== 'run') continue;
    const { call, intent } = run(about);
    if (call && pulls && isAnswered(journalIn(state, `call ${call}`))) inputs.push(`answer ${call}`);
    else if (call) inputs.push(`ask ${call}`, ...(configuration.hasTimers ? [`deadline ${call}`] : []));
    if (intent && inForce('sweep reopens intents')) inputs.push(intent.input);
  }
  return inputs;
}
