import type { Backend } from '../backend.ts';
import { addRecording, prepareCassette } from './cassette.ts';

/** Roles under which a model is only tried out: their questions are no part of what a cassette plays back. */
const trials = new Set(['check', 'bench']);

/**
 * A backend that asks another one and adds each request and its reply to the cassette at `path`. Failures are not
 * recorded. Throws a permanent BackendError where the file cannot be written, now or after a reply.
 */
export function recorded(backend: Backend, model: string, path: string): Backend {
  prepareCassette(path);
  return {
    ...backend,
    async complete(request, options) {
      const reply = await backend.complete(request, options);
      if (!trials.has(request.role)) addRecording(path, model, request, reply);
      return reply;
    },
  };
}
