import type { Command } from 'commander';
import { recordedOf, type RawEntry } from '../bus/client.ts';
import { readPublicKeys } from '../bus/credentials.ts';
import { openVerifier } from '../bus/signature.ts';
import { span, type Span } from '../observability/span.ts';
import { advanceView, emptyView } from '../observability/task-view.ts';
import { lineOf } from '../observability/timeline.ts';
import { countText } from '../observability/wording.ts';
import { verifyTask, type Verdict } from '../replay/verify.ts';
import { withMesh, type Connection } from './connection.ts';
import { endingData, endingText } from './ending.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { linesText, type Output } from './output.ts';
import { readTaskId } from './task-id.ts';
import { verb } from './verb.ts';

export function registerReplay(program: Command): void {
  const command = program
    .command('replay')
    .summary('print a task from the record, or decide it again')
    .description(
      'Prints everything that happened in a task, from the stream, in order. With --verify it folds every journal from zero and makes every decision again with what the events carry, checks authors and signatures, and exits 0 only if every stored decision comes out equal.',
    )
    .argument('[task]', 'its id, the start of it, or `latest`', 'latest')
    .option('--verify', 'decide again and compare');
  verb<{ verify?: boolean }>(
    command,
    [
      ['replay latest', 'the whole story of the newest task'],
      ['replay 3f1c --verify', 'is the record what these programs decide?'],
      ['replay latest --json', 'all events as JSON lines; the last line is the result'],
    ],
    ({ options, environment, output }, given) =>
      withMesh({ options, environment }, async (mesh) => {
        const taskId = await readTaskId(given!, () => mesh.client.taskJournals());
        const entries = await mesh.client.readRaw(taskId);
        if (entries.length === 0) throw new CommandError(`there is no task ${taskId}`, './switchyard list');
        return options.verify ? verify(mesh, taskId, entries, output) : print(taskId, entries, output);
      }),
  );
}

function print(taskId: string, entries: RawEntry[], output: Output): number {
  let view = { ...emptyView, taskId };
  for (const entry of entries) {
    const recorded = recordedOf(entry);
    view = advanceView(view, recorded);
    output.entry(recorded, linesText(lineOf(recorded, view)));
  }
  const nowMs = Date.now();
  output.lastResult(endingData(view, nowMs), endingText(view, nowMs));
  return exitCodes.done;
}

async function verify(
  { client, stateDirectory, namespace }: Connection,
  taskId: string,
  entries: RawEntry[],
  output: Output,
): Promise<number> {
  const isSigned = openVerifier(await readPublicKeys(stateDirectory));
  const verdict = await verifyTask(entries, {
    namespace,
    isSigned,
    readElsewhere: (sequence) => client.readAt(sequence),
  });
  const isEqual = verdict.problems.length === 0;
  output.result(
    { taskId, events: entries.length, isEqual, ...verdict },
    verdictText(verdict, entries.length),
  );
  return isEqual ? exitCodes.done : exitCodes.failure;
}

function verdictText({ problems, decisions, journals, signatures }: Verdict, events: number): Span[][] {
  const counted = `${countText(events, 'event')} in ${countText(journals, 'journal')}, ${countText(decisions, 'decision')} made again, ${countText(signatures, 'signature')} checked`;
  if (problems.length === 0)
    return [[span('equal', 'good'), span(`: ${counted}; every stored decision comes out as it stands`)]];
  return [
    [
      span('NOT equal', 'bad'),
      span(`: ${counted}; ${countText(problems.length, 'entry', 'entries')} not as decided`),
    ],
    ...problems.flatMap((problem) => [
      [
        span(`  ${problem.sequence} `, 'dim'),
        span(problem.type, 'accent'),
        span(` on ${problem.journal}: ${problem.what}`),
      ],
      ...problem.differences.map((one) => [
        span(`      ${one.path}: `, 'dim'),
        span(`stored ${short(one.stored)}`),
        span(`, decided ${short(one.decided)}`, 'warn'),
      ]),
    ]),
  ];
}

const short = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 160));
