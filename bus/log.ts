import pino, { type Logger } from 'pino';
import { censor, censorText } from '../schemas/secrets.ts';

export type Log = Logger;

/**
 * The one place that logs: JSON lines on standard error, pretty on a terminal, secrets censored by key name at any
 * depth and by shape in any text.
 */
export function openLog(name: string, level = process.env['SWITCHYARD_LOG_LEVEL'] ?? 'info'): Log {
  const destination = process.stderr.isTTY
    ? pino.transport({ target: 'pino-pretty', options: { destination: 2, ignore: 'pid,hostname,name' } })
    : pino.destination({ fd: 2, sync: true });
  return pino(
    {
      name,
      level,
      formatters: { log: (line) => censor(line) as Record<string, unknown> },
      hooks: {
        logMethod(parts, method) {
          const clean = parts.map((part) => (typeof part === 'string' ? censorText(part) : part));
          method.apply(this, clean as Parameters<typeof method>);
        },
      },
      serializers: {
        error: (error: unknown) =>
          error instanceof Error ? { name: error.name, message: censorText(error.message), stack: error.stack } : error,
      },
    },
    destination,
  );
}
