/** Named by consequence: what the shell does with it. */

/** Trying again cannot help: the message becomes a dead letter with these reasons. */
export class PermanentError extends Error {
  readonly reasons: string[];
  constructor(reasons: string[], options?: ErrorOptions) {
    super(reasons.join('; '), options);
    this.name = 'PermanentError';
    this.reasons = reasons;
  }
}

/** Trying again later may help: the message is put back. */
export class RetryableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RetryableError';
  }
}

/** The broker cannot be used as it is; `mend` says what to do. */
export class BrokerError extends Error {
  readonly mend: string;
  constructor(message: string, mend: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BrokerError';
    this.mend = mend;
  }
}
