import type { Command } from 'commander';
import type { DeadLetter } from '../bus/client.ts';
import { span } from '../observability/span.ts';
import { durationText } from '../observability/wording.ts';
import { censorText } from '../schemas/secrets.ts';
import { withMesh } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { tableOf } from './table.ts';
import { verb } from './verb.ts';

export function registerDead(program: Command): void {
  const dead = program
    .command('dead')
    .summary('messages that could not be handled')
    .description('Shows messages that could not be handled, with the reason, and puts them back.');

  verb(
    dead
      .command('list')
      .summary('list dead letters')
      .description('Lists the messages that could not be handled, the oldest first.'),
    [['dead list', 'what could not be handled, and why']],
    ({ options, environment, output }) =>
      withMesh({ options, environment }, async ({ client }) => {
        const letters = await client.deadLetters();
        const nowMs = Date.now();
        const rows = letters.map((one) => [
          span(one.id.slice(0, 8)),
          span(durationText(nowMs - one.atMs)),
          span((one.taskId ?? '').slice(0, 8)),
          span(one.subject, 'plain', 50),
          span(one.reason, 'bad', 120),
        ]);
        output.result(
          letters.map(shown),
          letters.length === 0
            ? 'no dead letters'
            : tableOf(['id', 'age', 'task', 'waited at', 'reason'], rows),
        );
        return exitCodes.done;
      }),
  );

  verb(
    dead
      .command('show')
      .summary('show a dead letter')
      .description('Shows a message that could not be handled, whole.')
      .argument('<id>', 'its id, or the start of it'),
    [['dead show 9a0c', 'the message and why it was given up']],
    ({ options, environment, output }, given) =>
      withMesh({ options, environment }, async ({ client }) => {
        const letter = find(await client.deadLetters(), given!);
        output.result(shown(letter), [
          [span('id        ', 'dim'), span(letter.id)],
          [span('waited at ', 'dim'), span(letter.subject)],
          [span('given up  ', 'dim'), span(new Date(letter.atMs).toISOString())],
          [span('reason    ', 'dim'), span(letter.reason, 'bad', 2000)],
          [span('put back  ', 'dim'), span(`./switchyard dead retry ${letter.id}`, 'accent')],
          [],
          ...bodyText(letter.body)
            .split('\n')
            .map((line) => [span(line, 'plain', 2000)]),
        ]);
        return exitCodes.done;
      }),
  );

  verb(
    dead
      .command('retry')
      .summary('put a dead letter back')
      .description(
        'Puts a message back where it waited, once what was wrong is mended. It stays in the list.',
      )
      .argument('<id>', 'its id, or the start of it'),
    [['dead retry 9a0c', 'try it again']],
    ({ options, environment, output }, given) =>
      withMesh({ options, environment }, async ({ client }) => {
        const letter = await client.retry(find(await client.deadLetters(), given!).id);
        output.result({ id: letter.id, subject: letter.subject }, [
          [span('put back', 'good'), span(` at ${letter.subject}`)],
        ]);
        return exitCodes.done;
      }),
  );
}

function find(letters: DeadLetter[], given: string): DeadLetter {
  const fitting = letters.filter((one) => given !== '' && one.id.startsWith(given));
  if (fitting.length === 1 || (fitting.length > 1 && fitting.every((one) => one.id === fitting[0]!.id)))
    return fitting[0]!;
  throw new CommandError(
    fitting.length === 0
      ? `no dead letter begins with "${given}"`
      : `${fitting.length} dead letters begin with "${given}"`,
    './switchyard dead list',
  );
}

const shown = (letter: DeadLetter) => ({ ...letter, body: censorText(letter.body) });

function bodyText(body: string): string {
  try {
    return censorText(JSON.stringify(JSON.parse(body), null, 2));
  } catch {
    return censorText(body);
  }
}
