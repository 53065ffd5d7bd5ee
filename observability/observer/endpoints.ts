import type { Endpoint } from '../../bus/micro.ts';
import { mistakesIn, mistakeText } from '../../schemas/mistakes.ts';
import { queries, type QueryName } from '../../schemas/query.ts';
import { censorText } from '../../schemas/secrets.ts';
import { querySubject } from '../query.ts';
import { QueryError } from './answers.ts';

export type Answering = { [Name in QueryName]: (request: never) => unknown };

/** The questions of the contract as a service: what breaks its schema is answered with everything that is wrong with it. */
export function endpointsOf(namespace: string, answering: Answering): Endpoint[] {
  return queries.map(({ name, summary, request: schema }) => {
    return {
      name,
      subject: querySubject(namespace, name),
      metadata: { summary, schema: JSON.stringify(schema) },
      async answer(body) {
        const read = readRequest(body);
        if ('problem' in read)
          return { code: 400, problem: 'the request cannot be read', details: { errors: [read.problem] } };
        const errors = mistakesIn(schema, read.request).map((one) => mistakeText(one, 'the request'));
        if (errors.length > 0)
          return { code: 400, problem: 'the request breaks its schema', details: { errors } };
        try {
          return { ok: await answering[name](read.request as never) };
        } catch (error) {
          if (!(error instanceof QueryError)) throw error;
          return { code: error.code, problem: 'it cannot be answered', details: { errors: [error.message] } };
        }
      },
    };
  });
}

/** Nothing at all is an empty request, as `nats req yard.query.totals ''` sends it. */
function readRequest(body: Uint8Array): { request: unknown } | { problem: string } {
  const text = Buffer.from(body).toString('utf8').trim();
  if (text === '') return { request: {} };
  try {
    return { request: JSON.parse(text) };
  } catch (error) {
    return { problem: censorText(`it is not JSON: ${(error as Error).message}`) };
  }
}
