import { expect, test } from 'vitest';
import { censor, censored, censorText, namesSecret } from './secrets.ts';

const canary = 'cAnArY0123456789cAnArY';

const telling =
  'password PASSWORD passWord DB_PASSWORD db-passwd pass pwd passphrase secret clientSecret token accessToken ACCESSTOKEN access_token ' +
  'tokens apiTokens session-token _authToken apiKey API_KEY x-api-key OPENAI_API_KEY AWS_SECRET_ACCESS_KEY privateKey ' +
  'ssh.private.key Authorization proxy-authorization auth set-cookie credentials nkey jwt bearer';
const innocent =
  'inputTokens outputTokens maxTokens contextTokens tokensAreEstimated MAX_TOKENS max_tokens maxtokens prompt_tokens ' +
  'completion_tokens_details totalTokens tokensPerSecond tokenCount tokenizer tokenType key publicKey idempotencyKey ' +
  'apiKeyVariable secretFile author testsPass passed bypass PWD';

test.each([...telling.split(' '), 'api key'])('secrets: what is called %s is taken for one', (name) => {
  expect(namesSecret(name)).toBe(true);
  expect(JSON.stringify(censor({ deep: [{ [name]: canary }] }))).not.toContain(canary);
  expect(JSON.stringify(censor({ [name]: { inner: [canary] } }))).not.toContain(canary);
});

test.each(innocent.split(' '))('secrets: what is called %s is innocent', (name) => {
  expect(namesSecret(name)).toBe(false);
  expect(censor({ [name]: 'plain' })).toEqual({ [name]: 'plain' });
  expect(censor({ [name]: 4096 })).toEqual({ [name]: 4096 });
});

// Written in two halves, so that this file does not look like it holds the keys it plants.
const planted: [what: string, text: string][] = [
  ['an OpenAI key', `sk-` + `proj-${canary}`],
  ['an Anthropic key', `sk-` + `ant-api03-${canary}`],
  ['an AWS key id', `AKIA` + 'CANARYCANARY1234'],
  ['a temporary AWS key id', `ASIA` + 'CANARYCANARY1234'],
  ['a GitHub token', `ghp` + `_${canary}`],
  ['a fine-grained GitHub token', `github` + `_pat_${canary}`],
  ['a GitLab token', `glpat` + `-${canary}`],
  ['a Slack token', `xoxb` + `-${canary}`],
  ['a Hugging Face token', `hf` + `_${canary}`],
  ['a Google key', `AIza` + `Sy${canary}${canary}`],
  ['a bearer token', `Bearer ${canary}`],
  ['a bearer token, in capitals', `AUTHORIZATION: BEARER ${canary}`],
  ['basic credentials', `basic ${canary}==`],
  ['a JSON Web Token', `eyJ` + `hbGciOiJIUzI1NiJ9.eyJ${canary}.${canary}`],
  ['a NATS seed', `SU` + `A${'CANARY2'.repeat(8)}`.slice(0, 56)],
  ['a private key', `-----BEGIN OPENSSH PRIVATE ` + `KEY-----\n${canary}\n-----END OPENSSH PRIVATE KEY-----`],
  ['a private key cut off', `-----BEGIN PRIVATE ` + `KEY-----\n${canary}`],
  ['a password in a URL', `nats://coder:${canary}@127.0.0.1:4222`],
  ['a password with an @ in a URL', `postgres://coder:p@${canary}@db/one`],
  ['a password without a user', `redis://:${canary}@cache`],
  ['a token in a broker URL', `nats://${canary}@127.0.0.1:4222`],
  ['a member of JSON', `{"apiKey": "${canary}"}`],
  ['a member with an escaped quote', `{"password":"a\\"${canary}"}`],
  ['a member of JSON within JSON', JSON.stringify(JSON.stringify({ password: canary }))],
  ['an environment', `FOO=1 MY_API_TOKEN=${canary} node x.js`],
  ['a quoted environment', `export DB_PASSWORD='${canary} and more'`],
  ['a query', `https://host/path?a=b&access_token=${canary}#there`],
  ['an option', `curl --token ${canary} https://host`],
  ['an option with =', `tool --api-key=${canary}`],
  ['a header', `> Authorization: ${canary}`],
  ['a cookie', `Cookie: sid=${canary}; other=1`],
];

test.each(planted)('secrets: %s does not survive, wherever it stands', (_, text) => {
  for (const around of [text, `before ${text}`, `line\n${text}\nline`]) {
    if (/^(> |Cookie)/.test(text) && around.startsWith('before')) continue; // headers stand at the start of a line
    const clean = censorText(around);
    expect(clean).toContain(censored);
    expect(clean).not.toMatch(/canary/i);
    expect(censorText(clean)).toBe(clean);
  }
  expect(JSON.stringify(censor({ a: [{ b: text }], [text]: 1 }))).not.toMatch(/canary/i);
});

test.each([
  'const token = lexer.nextToken();',
  "option '--tokens <count>' argument '0' is invalid",
  'if (password === undefined) throw new Error("no password given");',
  '  authorization: config.header,',
  'the task-runner-with-a-long-name desk-sk and risk-assessment-of-things',
  'git@github.com:owner/name.git and ssh://git@github.com/owner/name and http://localhost:8080/a@b',
  'expected 812 tokens, maxTokens=4096, "inputTokens": 812, ?max_tokens=12 --max-tokens 100',
  'Bearer of good news, a basic example',
  'PASSWORD=$DB_PASSWORD TOKEN=${{ vars.TOKEN }} PWD=/home/someone',
  'b7e23ec29af22b0b4e41da31e868d57226121c84 f81d4fae-7dec-51d0-a765-00a0c91e6bf6',
])('secrets: this stays as it is: %s', (text) => {
  expect(censorText(text)).toBe(text);
});

test('secrets: headers, pairs and command lines are read as names and values', () => {
  const given = {
    headers: [
      ['X-Api-Key', canary],
      ['Accept', 'application/json'],
    ],
    parameters: [{ name: 'client_secret', value: canary }],
    argv: ['tool', '--password', canary, '--verbose', 'file'],
  };
  expect(censor(given)).toEqual({
    headers: [
      ['X-Api-Key', censored],
      ['Accept', 'application/json'],
    ],
    parameters: [{ name: 'client_secret', value: censored }],
    argv: ['tool', '--password', censored, '--verbose', 'file'],
  });
});

test('secrets: the value given is not changed, and what holds no secret comes back equal', () => {
  const given = { a: 1, b: [true, null, 'text'], c: { inputTokens: 5, when: new Date(0) }, password: canary };
  const before = structuredClone(given);
  const clean = censor(given);
  expect(given).toEqual(before);
  expect(clean).toEqual({ ...before, password: censored });
});

test('secrets: a cycle stays a cycle, and a shared part is copied once', () => {
  const shared = { token: canary };
  const given: Record<string, unknown> = { one: shared, two: shared };
  given['self'] = given;
  const clean = censor(given);
  expect(clean['self']).toBe(clean);
  expect(clean['one']).toBe(clean['two']);
  expect(clean['one']).toEqual({ token: censored });
});

test('secrets: nesting deeper than the stack is no way to hide', () => {
  let given: unknown = { password: canary };
  for (let depth = 0; depth < 200_000; depth += 1) given = [given];
  let clean: unknown = censor(given);
  while (Array.isArray(clean)) clean = clean[0];
  expect(clean).toEqual({ password: censored });
});

test('secrets: errors, maps, sets, URLs and bytes hide nothing', () => {
  const error = new Error(`refused nats://a:${canary}@host`, { cause: new Error(`Bearer ${canary}`) });
  Object.assign(error, { password: canary });
  const clean = censor({
    error,
    map: new Map([['token', canary]]),
    set: new Set([`Bearer ${canary}`]),
    url: new URL(`https://a:${canary}@host/`),
    bytes: new TextEncoder().encode(canary),
  });
  expect(JSON.stringify(clean)).not.toContain(canary);
  expect(clean.error).toMatchObject({ type: 'Error', message: `refused nats://a:${censored}@host` });
  expect(clean.bytes).toBe(`[${canary.length} bytes]`);
});

test('secrets: a member called __proto__ stays a member', () => {
  const clean = censor(JSON.parse('{"__proto__": {"password": "x1"}, "a": 1}'));
  expect(JSON.stringify(clean)).toBe(`{"__proto__":{"password":"${censored}"},"a":1}`);
});

test('secrets: a long text is read in time that grows with its length only', () => {
  const pieces = [
    'a',
    '-----BEGIN PRIVATE KEY-----',
    '"a":"',
    'a://a:',
    '--a ',
    '\\',
    'A=',
    'Bearer ',
    'sk-',
  ];
  /** Of the processor, so that whatever else the machine does counts for nothing. */
  const costOf = (text: string) => {
    const before = process.threadCpuUsage();
    censorText(text);
    const { user, system } = process.threadCpuUsage(before);
    return user + system;
  };
  for (const piece of pieces) {
    const [short, long] = [20_000, 320_000].map((length) => piece.repeat(length / piece.length));
    // Whatever grew with the square of the length would cost 256 times as much.
    expect(costOf(long!), piece).toBeLessThan(64 * Math.max(costOf(short!), 1000));
  }
});
