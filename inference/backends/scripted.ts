import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackendError } from '../backend.ts';
import type { Backend, ModelDefinition, ModelMessage, ModelReply, ModelRequest } from '../backend.ts';
import { capabilitiesOf } from '../../schemas/model-backends.ts';
import { estimateUsage } from '../estimate.ts';
import { noRecordingFits } from './cassette-difference.ts';
import { readCassette } from './cassette.ts';
import { readScript } from './script.ts';
import type { Scene, ScriptedReply } from './script.ts';
import { limitTime } from './time-limit.ts';

/** One call that a scripted backend was given, and what it answered. */
export interface ScriptedCall {
  request: ModelRequest;
  reply?: ModelReply;
  error?: BackendError;
}

export type ScriptedBackend = Backend & { readonly calls: readonly ScriptedCall[] };

/** The role under which `check.ts` asks whether a model answers; no script need know it. */
const checkRole = 'check';
const ready: ScriptedReply = { content: 'ready (scripted)', delayMs: 0 };
const wordDelayMs = 10;
const keptCalls = 1000;

/**
 * The shipped fake: plays replies from a YAML file, a script or a cassette, for the demo and for tests. The reply
 * follows from the request alone, so any process gives the same one, also after a restart. Throws a permanent BackendError
 * where the script cannot be read.
 */
export function scripted(definition: ModelDefinition): ScriptedBackend {
  if (definition.script === undefined) {
    throw new BackendError('permanent', `model ${definition.name} is scripted, but names no script`, {
      mend: 'give the path of a YAML file as its script',
    });
  }
  const source = sourceOf(definition.script);
  const calls: ScriptedCall[] = [];
  return {
    capabilities: capabilitiesOf(definition),
    calls,
    async complete(request, { signal, onText }) {
      const call: ScriptedCall = { request };
      calls.push(call);
      if (calls.length > keptCalls) calls.shift();
      const { timeoutMs } = definition;
      const limit = limitTime(signal, { totalMs: timeoutMs, idleMs: timeoutMs });
      try {
        call.reply = await source(request, limit.signal, onText);
        return call.reply;
      } catch (error) {
        call.error =
          limit.ended() === 'timeout'
            ? new BackendError('retryable', `${definition.name} did not finish within ${timeoutMs} ms`, {
                mend: 'raise its timeoutMs or shorten the pauses of its script',
              })
            : (error as BackendError);
        throw call.error;
      } finally {
        limit.release();
      }
    },
    async check() {
      // Reading the script was the check.
    },
  };
}

/** Plays the reply to one request, its words as they come. */
type Source = (
  request: ModelRequest,
  signal: AbortSignal,
  onText: (text: string) => void,
) => Promise<ModelReply>;

/** A cassette plays what was recorded for the very request; a script what its scenes hold for it. */
function sourceOf(path: string): Source {
  const cassette = existsSync(path) ? readCassette(path) : undefined;
  if (!cassette) {
    const scenes = readScript(path);
    return async (request, signal, onText) => {
      const reply = chooseReply(scenes, request);
      await speak(reply, signal, onText);
      return toModelReply(reply, request);
    };
  }
  return async (request, signal, onText) => {
    const reply = request.role === checkRole ? toModelReply(ready, request) : cassette.replyTo(request);
    if (!reply) throw noRecordingFits(cassette, request);
    await speak({ content: reply.content, delayMs: 0 }, signal, onText);
    return reply;
  };
}

/**
 * The reply that the scenes hold for a request: the scene by role and first prompt, the turn by the number of
 * replies the request already holds. Throws a permanent BackendError where no scene fits, where the scene has
 * no reply left, and where the tools answered the last reply otherwise than the script expects.
 */
export function chooseReply(scenes: readonly Scene[], request: ModelRequest): ScriptedReply {
  if (request.role === checkRole) return ready;
  const prompt = request.messages.find((message) => message.role === 'user')?.content ?? '';
  const ofRole = scenes.filter((scene) => scene.role === request.role);
  const scene =
    ofRole.find(
      (each) => each.whenPromptContains !== undefined && prompt.includes(each.whenPromptContains),
    ) ?? ofRole.find((each) => each.whenPromptContains === undefined);
  if (!scene) {
    const roles = [...new Set(scenes.map((each) => each.role))].join(', ');
    throw new BackendError(
      'permanent',
      `the script has no scene for the role ${request.role} and this prompt`,
      {
        mend: `it has scenes for ${roles}`,
      },
    );
  }
  const turn = turnOf(request);
  const last = scene.replies[turn - 1];
  if (last) refuseUnexpected(last, request.messages);
  const reply = scene.replies[turn];
  if (reply) return reply;
  throw new BackendError(
    'permanent',
    `the script has ${scene.replies.length} replies for the role ${request.role}, but was asked for one more`,
  );
}

function turnOf(request: ModelRequest): number {
  return request.messages.filter((message) => message.role === 'assistant').length;
}

/** A script is written for one state of the files; where they differ its next reply would make no sense. */
function refuseUnexpected(last: ScriptedReply, messages: ModelMessage[]): void {
  const calls = last.toolCalls ?? [];
  const since = messages.slice(messages.findLastIndex((message) => message.role === 'assistant') + 1);
  const results = since.filter((message) => message.role === 'tool');
  calls.forEach((call, position) => {
    const expected = (Array.isArray(last.expect) ? last.expect[position] : last.expect) ?? 'ok';
    const result = results[position];
    if (result && (expected === 'any' || result.status === expected)) return;
    const found = result ? `${result.status}: ${excerptOf(result.content)}` : 'no result';
    throw noLongerFits(`${call.name} should have been ${expected}, but was ${found}`);
  });
  const wanted = last.expectOutputContains;
  if (wanted === undefined || results.some((result) => result.content.includes(wanted))) return;
  throw noLongerFits(`no tool answered "${wanted}", but: ${excerptOf(results.at(-1)?.content ?? '')}`);
}

function noLongerFits(why: string): BackendError {
  return new BackendError('permanent', `the scripted reply no longer fits: ${why}`);
}

function excerptOf(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}... [cut]` : text;
}

async function speak(
  reply: ScriptedReply,
  signal: AbortSignal,
  onText: (text: string) => void,
): Promise<void> {
  const delayMs = reply.delayMs ?? wordDelayMs;
  try {
    for (const word of (reply.content ?? '').match(/\s*\S+\s*$|\s*\S+/g) ?? []) {
      signal.throwIfAborted();
      onText(word);
      if (delayMs > 0) await sleep(delayMs, undefined, { signal });
    }
    signal.throwIfAborted();
  } catch (error) {
    if (signal.aborted) throw new BackendError('permanent', 'the call was cancelled');
    throw error;
  }
}

function toModelReply(reply: ScriptedReply, request: ModelRequest): ModelReply {
  const content = reply.content ?? '';
  const turn = turnOf(request);
  const toolCalls = (reply.toolCalls ?? []).map((call, position) => ({
    id: `scripted_${turn}_${position}`,
    name: call.name,
    arguments: call.arguments ?? {},
  }));
  const finish = toolCalls.length > 0 ? 'tool_calls' : 'stop';
  return { content, toolCalls, finish, usage: estimateUsage(request, content, toolCalls) };
}
