import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { backendContract } from '../../tests/backend-contract.ts';
import type { ContractSubject } from '../../tests/backend-contract.ts';
import type { Behaviour, PlayedToolCall } from '../../tests/model-behaviour.ts';
import type { Backend, ModelDefinition, ModelReply, ModelRequest } from '../backend.ts';
import { estimateUsage } from '../estimate.ts';
import { parseObject } from '../tool-arguments.ts';
import { addRecording, prepareCassette } from './cassette.ts';
import type { ScriptedReply } from './script.ts';
import { scripted } from './scripted.ts';
import type { ScriptedBackend } from './scripted.ts';

const noKey = 'its replies are a file: there is no server that could refuse a key';
const noServer = 'its replies are a file: there is no server whose answer could be a failure';
const noStream = 'its replies are a file that is read whole when it is opened: nothing can break off';
const ownPace = 'the pauses between its words are the ones that the file asks for: none of them is a silence';
const anyModel = 'it answers under whatever name its entry has, and has no list of models';
const noIds = 'its replies are a file: no provider gave its calls an id';
const noReading = 'a file says which of its replies are calls, and what it holds as text is meant as text';
const asWritten = 'its replies are a file: each is played as it stands, neither varied nor cut';
const noPause = 'a recording is played without pauses, as it keeps none';

const ofNoServer: ContractSubject['cannot'] = {
  'text-tool-call': noReading,
  parameters: asWritten,
  'request-id': noIds,
  'request-id-of-failure': noIds,
  silence: ownPace,
  'refused-key': noKey,
  forbidden: noKey,
  'unknown-model': anyModel,
  'retry-after-seconds': noServer,
  'retry-after-date': noServer,
  'server-error': noServer,
  'other-refusal': noServer,
  redirect: noServer,
  malformed: 'a file that is no script is refused before any call, see scripted.test.ts',
  'cut-end': noStream,
  'cut-reset': noStream,
  'error-in-stream': noStream,
  'context-overflow': 'it reads no prompt: the bound of an entry is held before any backend is asked',
  'no-server': 'a file that is missing is refused before any call, see scripted.test.ts',
};

type Played = Extract<Behaviour, { kind: 'reply' | 'hang' }>;

function playable(behaviour: Behaviour): Played {
  if (behaviour.kind === 'reply' || behaviour.kind === 'hang') return behaviour;
  throw new Error(`a file of replies cannot play ${behaviour.kind}: declare the case`);
}

/** What both kinds of file have in common. */
function subjectOf(
  play: (behaviours: Played[], file: string) => void,
  backendOf: (definition: ModelDefinition) => { backend: Backend; scripted: () => ScriptedBackend },
  cannot: ContractSubject['cannot'],
): ContractSubject {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-scripted-contract-'));
  const file = join(folder, 'replies.yaml');
  let last: () => ScriptedBackend;
  play([{ kind: 'reply', content: 'ready' }], file);
  const backend = (timeoutMs = 20_000): Backend => {
    const opened = backendOf({
      name: 'test',
      backend: 'scripted',
      pool: 'test',
      model: 'test-model',
      script: file,
      contextTokens: 8000,
      maxTokens: 500,
      tags: [],
      timeoutMs,
    });
    last = opened.scripted;
    return opened.backend;
  };
  const none = (): never => {
    throw new Error('a file of replies has no key and no server: declare the case');
  };
  return {
    play: (...behaviours) => play(behaviours.map(playable), file),
    backend: ({ timeoutMs } = {}) => backend(timeoutMs),
    model: 'test-model',
    models: ['test-model'],
    apiKeyVariable: '',
    key: '',
    backendWithWrongKey: none,
    parametersAsked: none,
    backendWithoutServer: none,
    calls: () => ({
      count: last().calls.filter((call) => call.reply).length,
      lastAborted: last().calls.at(-1)?.error?.message === 'the call was cancelled',
    }),
    schemaAsked: () => last().calls.at(-1)?.request.schema?.schema,
    cannot: { ...ofNoServer, ...cannot },
    stop: async () => rmSync(folder, { recursive: true }),
  };
}

function scriptedReply(behaviour: Played): ScriptedReply {
  if (behaviour.kind === 'hang') return { content: `${behaviour.after ?? 'I'} think`, delayMs: 10_000 };
  const toolCalls = (behaviour.toolCalls ?? []).map(({ name, arguments: given }) => ({
    name,
    ...(typeof given === 'object' && { arguments: given }),
  }));
  return {
    content: behaviour.content,
    ...(toolCalls.length > 0 && { toolCalls, expect: 'any' }),
    delayMs: behaviour.pieceDelayMs ?? 0,
  };
}

/** The turn is the number of replies that a conversation holds, so all turns of the contract get the same. */
backendContract('scripted', async () =>
  subjectOf(
    ([behaviour], file) => {
      const reply = scriptedReply(behaviour!);
      writeFileSync(
        file,
        stringify([{ role: 'coder', replies: [reply, reply] }], { aliasDuplicateObjects: false }),
      );
    },
    (definition) => {
      const backend = scripted(definition);
      return { backend, scripted: () => backend };
    },
    {
      'plain-reply': 'a script counts no tokens: what it uses is always estimated',
      length: 'a script holds whole replies: none of them is cut by a limit',
      'malformed-arguments': 'a script holds the arguments of a call as an object, or none',
    },
  ),
);

function recordedCall({ id, name, arguments: given }: PlayedToolCall, place: number) {
  const parsed = given === '' ? {} : typeof given === 'string' ? parseObject(given) : given;
  const ids = { id: id ?? `recorded_${place}`, name };
  if (parsed) return { ...ids, arguments: parsed };
  return { ...ids, arguments: null, invalidArguments: String(given) };
}

function recordedReply(behaviour: Played, request: ModelRequest): ModelReply {
  if (behaviour.kind === 'hang') throw new Error('a recording keeps no pauses: declare the case');
  const { content = '', usage = 'absent' } = behaviour;
  const toolCalls = (behaviour.toolCalls ?? []).map(recordedCall);
  return {
    content,
    toolCalls,
    finish: behaviour.finish ?? (toolCalls.length > 0 ? 'tool_calls' : 'stop'),
    usage: usage === 'absent' ? estimateUsage(request, content, toolCalls) : { ...usage, estimated: false },
  };
}

/** A cassette plays what was recorded for the very request, so each is recorded just before it is asked. */
backendContract('scripted from a cassette', async () => {
  let behaviours: Played[] = [];
  return subjectOf(
    (more) => {
      behaviours = more;
    },
    (definition) => {
      const file = definition.script!;
      prepareCassette(file);
      let player = scripted(definition);
      const backend: Backend = {
        ...player,
        complete(request, options) {
          addRecording(file, 'recorded', request, recordedReply(behaviours[0]!, request));
          player = scripted(definition);
          return player.complete(request, options);
        },
      };
      return { backend, scripted: () => player };
    },
    { timeout: noPause, cancel: noPause, 'slow-stream': noPause },
  );
});
