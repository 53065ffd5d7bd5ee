/**
 * What a person should read when a nats-server did not start: the cause and the mend, out of its log.
 * `log` is what this start wrote; `circumstance` says what was seen ("ended with code 1").
 */
export function explainServerFailure(log: string, circumstance: string, logFile: string): string {
  const occupied = /:(\d+): bind: address already in use/.exec(log);
  if (occupied) {
    return (
      `Port ${occupied[1]} is in use by another program, so that nats-server cannot listen on it. ` +
      `Choose another with --port N, or leave the option out to have a free one chosen.`
    );
  }
  const forbidden = /:(\d+): bind: permission denied/.exec(log);
  if (forbidden) {
    return `This user may not listen on port ${forbidden[1]}. Choose one above 1023 with --port N, or leave the option out.`;
  }
  if (/no space left on device|insufficient storage/i.test(log)) return diskFull(logFile);
  const tail = log
    .split('\n')
    .map((line) => line.replace(/^\[\d+\] \S+ \S+ /, '').trim())
    .filter((line) => line !== '' && !line.startsWith('[INF]'))
    .slice(-5)
    .join('\n  ');
  return `nats-server ${circumstance}. Its log, ${logFile}, says:\n  ${tail || '(no warning or error)'}`;
}

/** The message for a disk without room; `freeBytes` where it was measured. */
export function diskFull(place: string, freeBytes?: number): string {
  const free = freeBytes === undefined ? '' : ` (${(freeBytes / 1e6).toFixed(1)} MB free)`;
  return `The disk that holds ${place} is full${free}. Make room there, or keep the state elsewhere with --state DIR.`;
}
