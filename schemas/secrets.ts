/** What stands where a secret stood. */
export const censored = '[censored]';

/** Words that make a name a secret's, wherever they stand in it: `DB_PASSWORD`, `x-api-key`, `clientSecret`. */
const secretPart =
  /password|passwd|passphrase|secret|credential|authorization|apikey|accesskey|privatekey|signingkey|encryptionkey|masterkey|cookie/;
/** Words that do so only when they are a word of their own. */
const secretWords = new Set(['pwd', 'token', 'jwt', 'nkey', 'creds', 'bearer']);
/** Words that do so only at the end: `smtpAuth`, but not `authMode`. */
const lastWords = new Set(['auth', 'seed']);
/** `inputTokens` counts; `accessTokens` may hold some. */
const counting =
  /^(in|input|out|output|max|maximum|min|minimum|context|prompt|completion|total|cached|cache|read|write|used|reasoning|thinking|estimated|num|number|of|per|new|window)$/;
/** A last word that says something about the secret, or where it lies, rather than what it is. */
const about =
  /^(count|limit|usage|budget|type|kind|endpoint|variable|env|file|path|name|length|size|details|estimated)$/;

function wordsOf(name: string): string[] {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
}

/** True when what bears this name is to be taken for a secret, whatever it looks like. */
export function namesSecret(name: string): boolean {
  const words = wordsOf(name);
  const joined = words.join('');
  if (about.test(words.at(-1) ?? '')) return false;
  if (name === 'PWD' || name === 'OLDPWD') return false;
  if (secretPart.test(joined) || words.some((word) => secretWords.has(word)) || joined.endsWith('token'))
    return true;
  if (lastWords.has(words.at(-1) ?? '') || /^(user|db|smtp|admin|root)?pass$/.test(joined)) return true;
  return joined.endsWith('tokens') && !words.some((word) => counting.test(word.replace(/tokens$/, '')));
}

/** Numbers and truth values under such names are counts and switches, as in `tokens: 812` or `authRequired: true`. */
function isHarmless(name: string, value: unknown): boolean {
  if (value === undefined || value === null || value === '' || typeof value === 'boolean') return true;
  return typeof value === 'number' && /(tokens|secrets|credentials|cookies|seed)$/i.test(name);
}

const shapes: readonly RegExp[] = [
  /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g,
  // OpenAI and Anthropic; GitHub, GitLab, npm, Hugging Face, Slack, Google, AWS, Stripe.
  /(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{12,}/g,
  /(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{16,}/g,
  /(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{16,}/g,
  /(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{16,}/g,
  /(?<![A-Za-z0-9])npm_[A-Za-z0-9]{24,}/g,
  /(?<![A-Za-z0-9])hf_[A-Za-z0-9]{20,}/g,
  /(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10,}/g,
  /(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{30,}/g,
  /(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])/g,
  /(?<![A-Za-z0-9])(?:sk|rk)_live_[A-Za-z0-9]{16,}/g,
  // JSON Web Tokens, NATS user JWTs among them; NATS seeds.
  /(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*/g,
  /(?<![A-Za-z0-9])S[UAONCX][A-Z2-7]{56}(?![A-Za-z0-9])/g,
];

const bearer = /\b(Bearer|Basic)(\s+)(?=[^\s"',;]*\d|[^\s"',;]{20})[A-Za-z0-9._~+/=-]{8,}/gi;
// Whole header lines; a line of source code such as `authorization: header,` is none.
const authorizationLine =
  /^([ \t>*+-]{0,8}(?:(?:proxy-)?authorization|x-api-key)[ \t]*:[ \t]*)(?:[A-Za-z0-9-]{1,32} )?(?=\S*\d)[^\s'"`${}()]{8,}[ \t]*$/gim;
const cookieLine = /^([ \t>*+-]{0,8}(?:set-)?cookie[ \t]*:[ \t]*)[^\s=;'"`]{1,256}=[^\r\n]*/gim;
const userInfo =
  /(?<![A-Za-z0-9+.-])([a-z][a-z0-9+.-]{0,20}:\/\/)([^\s/@:"'<>]{0,256}):([^\s/"'<>]{1,512})@/gi;
const brokerToken = /(?<![A-Za-z0-9+.-])((?:nats|tls|wss?):\/\/)([^\s/@:"'<>]{1,512})@/gi;
const quotedMember =
  /(\\?["'])([A-Za-z][\w.-]{1,60})\1(\s*:\s*)(\\?["'])(?:(?!\4)(?:\\[^\r\n]|[^\r\n\\])){1,4000}\4/g;
const environment =
  /(?<![A-Za-z0-9_])([A-Z][A-Z0-9_]{2,60})=(?!\$|<|process\.|os\.)("[^"\r\n]+"|'[^'\r\n]+'|[^\s"'&;]+)/g;
const queryParameter = /([?&])([A-Za-z][\w.-]{1,60})=([^\s&#"'<>]+)/g;
const option = /(?<![A-Za-z0-9-])(--[a-z][a-z0-9-]{1,60})([= ])(?!-|<)("[^"\r\n]+"|'[^'\r\n]+'|[^\s"',]+)/g;

/**
 * Replaces what looks like a secret in a text: keys and tokens by their shape, credentials in URLs, and values given
 * to a telling name in JSON, an environment, a query or a command line. Source code such as `token = next()` stays.
 */
export function censorText(text: string): string {
  let result = text;
  for (const shape of shapes) result = result.replaceAll(shape, censored);
  return result
    .replaceAll(authorizationLine, (_, start: string) => `${start}${censored}`)
    .replaceAll(cookieLine, (_, start: string) => `${start}${censored}`)
    .replaceAll(bearer, (_, scheme: string, gap: string) => `${scheme}${gap}${censored}`)
    .replaceAll(userInfo, (_, scheme: string, user: string) => `${scheme}${user}:${censored}@`)
    .replaceAll(brokerToken, (_, scheme: string) => `${scheme}${censored}@`)
    .replaceAll(quotedMember, (whole, open: string, name: string, colon: string, quote: string) =>
      namesSecret(name) ? `${open}${name}${open}${colon}${quote}${censored}${quote}` : whole,
    )
    .replaceAll(environment, (whole, name: string) => (namesSecret(name) ? `${name}=${censored}` : whole))
    .replaceAll(queryParameter, (whole, mark: string, name: string) =>
      namesSecret(name) ? `${mark}${name}=${censored}` : whole,
    )
    .replaceAll(option, (whole, name: string, gap: string) =>
      namesSecret(name) ? `${name}${gap}${censored}` : whole,
    );
}

function plainOf(error: Error): [string, unknown][] {
  const plain: [string, unknown][] = [
    ['type', error.name],
    ['message', error.message],
    ['stack', error.stack],
  ];
  if (error.cause !== undefined) plain.push(['cause', error.cause]);
  if (error instanceof AggregateError) plain.push(['errors', error.errors]);
  return [...plain, ...Object.entries(error)];
}

/** The members to copy, or undefined when the value is no structure and is finished as it is. */
function membersOf(value: object): { list: unknown[] } | { entries: [string, unknown][] } {
  if (Array.isArray(value)) return { list: value };
  if (value instanceof Set) return { list: [...value] };
  if (value instanceof Map) return { entries: [...value].map(([name, one]) => [String(name), one]) };
  if (value instanceof Error) return { entries: plainOf(value) };
  return { entries: Object.entries(value) };
}

/** What a text's neighbour says about it: `['Authorization', 'x']`, `['--password', 'x']`, `{name: 'X-Api-Key', value: 'x'}`. */
function isGivenToName(list: unknown[], index: number): boolean {
  const before = list[index - 1];
  if (typeof before !== 'string' || typeof list[index] !== 'string') return false;
  if (/^--?[A-Za-z][\w-]*$/.test(before)) return namesSecret(before);
  return list.length === 2 && index === 1 && /^[\w-]+$/.test(before) && namesSecret(before);
}

/**
 * A copy of any value without its secrets: whatever bears a telling name, and whatever looks like one within a text.
 * Any depth and cycles are fine (a cycle stays one); errors, maps and sets become plain objects and lists, and bytes
 * become their count, for they cannot be searched. The value itself is not changed.
 */
export function censor<Value>(value: Value): Value {
  const copies = new WeakMap<object, object>();
  // A list of work instead of recursion: nesting deeper than the stack must not bring down what logs it.
  const open: { from: object; to: object }[] = [];

  const copy = (one: unknown): unknown => {
    if (typeof one === 'string') return censorText(one);
    if (typeof one !== 'object' || one === null || one instanceof Date) return one;
    if (one instanceof URL) return censorText(one.href);
    if (ArrayBuffer.isView(one) || one instanceof ArrayBuffer) return `[${one.byteLength} bytes]`;
    const known = copies.get(one);
    if (known) return known;
    const to: object = Array.isArray(one) || one instanceof Set ? [] : {};
    copies.set(one, to);
    open.push({ from: one, to });
    return to;
  };

  const result = copy(value);
  for (let work = open.pop(); work; work = open.pop()) {
    const members = membersOf(work.from);
    if ('list' in members) {
      const { list } = members;
      for (const [index, one] of list.entries())
        (work.to as unknown[])[index] = isGivenToName(list, index) ? censored : copy(one);
      continue;
    }
    const named = members.entries.find(([name]) => name === 'name' || name === 'key')?.[1];
    const pairIsSecret = typeof named === 'string' && namesSecret(named);
    for (const [name, one] of members.entries) {
      const isSecret = (namesSecret(name) && !isHarmless(name, one)) || (pairIsSecret && name === 'value');
      // Defined rather than assigned, so that a member called __proto__ stays a member.
      Object.defineProperty(work.to, censorText(name), {
        value: isSecret ? censored : copy(one),
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
  }
  return result as Value;
}
