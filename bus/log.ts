import { format } from 'node:util';
import pino, { type Logger } from 'pino';
import { censor, censorText } from '../schemas/secrets.ts';
import { telemetry } from '../schemas/telemetry.ts';

/** Words, beside what belongs to them. No children: what they are bound to would go past the censor. */
export type Log = Pick<Logger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'>;

/** The words of a log call as one text; what stands in them as an object is censored by its names first. */
function wordsOf(words: unknown[]): string | undefined {
  if (words.length === 0) return undefined;
  return censorText(format(...words.map((word) => (typeof word === 'string' ? word : censor(word)))));
}

/**
 * The one place that logs: JSON lines on standard error, pretty on a terminal, secrets censored by key name at any
 * depth and by shape in any text. Pino's own redaction knows neither the root, nor any depth, nor message texts.
 */
export function openLog(name: string, level = process.env['SWITCHYARD_LOG_LEVEL'] ?? 'info'): Log {
  const port = telemetry();
  const destination = process.stderr.isTTY
    ? pino.transport({ target: 'pino-pretty', options: { destination: 2, ignore: 'pid,hostname,name' } })
    : pino.destination({ fd: 2, sync: true });
  const logger = pino(
    {
      name,
      level,
      hooks: {
        logMethod(parts, method, severity) {
          const [first, ...rest] = parts as unknown[];
          if (typeof first !== 'object' || first === null) {
            const words = wordsOf(parts) ?? '';
            port.line(severity, {}, words);
            return method.call(this, words);
          }
          const line = censor(first instanceof Error ? { error: first } : first);
          const text = wordsOf(rest) ?? (first instanceof Error ? censorText(first.message) : undefined);
          port.line(severity, line, text);
          return text === undefined ? method.call(this, line as never) : method.call(this, line, text);
        },
      },
    },
    destination,
  );
  opened.push({ logger, level });
  return logger;
}

/** Logs of this process with the level that they were opened with. */
const opened: { logger: Logger; level: string }[] = [];

/** Has every log of this process written in full, or as it was asked for. */
export function logInFull(isFull: boolean): void {
  for (const { logger, level } of opened) {
    const isLess = (pino.levels.values[level] ?? Infinity) > pino.levels.values['debug']!;
    logger.level = isFull && isLess && level !== 'silent' ? 'debug' : level;
  }
}
