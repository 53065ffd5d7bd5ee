let asked = 0;

/** Asks the launcher that started this process; rejects with its words, without one, or when it does not answer in time. */
export function askLauncher(what: unknown, limitMs = 15_000): Promise<unknown> {
  asked += 1;
  const number = asked;
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const limit = setTimeout(() => reject(new Error('the launcher does not answer')), limitMs);
  const hear = (message: { answers?: number; said?: unknown; problem?: string }) => {
    if (message.answers !== number) return;
    if (message.problem === undefined) resolve(message.said);
    else reject(new Error(message.problem));
  };
  process.on('message', hear);
  if (process.send && process.connected)
    process.send({ ask: number, asked: what }, (error: Error | null) => {
      if (error) reject(error);
    });
  else reject(new Error('this process was started by no launcher'));
  return promise.finally(() => {
    clearTimeout(limit);
    process.off('message', hear);
  });
}
