import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Whoever may ask a loopback Bedrock. */
export interface Account {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  region: string;
}

const form =
  /^AWS4-HMAC-SHA256 Credential=(?<key>[^/]+)\/(?<day>\d{8})\/(?<region>[^/]+)\/(?<service>[^/]+)\/aws4_request, SignedHeaders=(?<signed>[a-z0-9;-]+), Signature=(?<signature>[0-9a-f]{64})$/;

/** The service's own name for what is wrong with a request's signature, and its words; undefined where it is good. */
export function signatureProblem(
  request: IncomingMessage,
  body: Buffer,
  account: Account,
): { type: string; message: string } | undefined {
  const parts = form.exec(request.headers.authorization ?? '')?.groups;
  if (!parts) return { type: 'MissingAuthenticationTokenException', message: 'Missing Authentication Token' };
  const signed = parts['signed']!.split(';');
  if (!signed.includes('host') || !signed.includes('x-amz-date'))
    return { type: 'IncompleteSignatureException', message: 'host and x-amz-date must be signed' };
  const isKnown =
    parts['key'] === account.accessKeyId &&
    request.headers['x-amz-security-token'] === account.sessionToken &&
    (account.sessionToken === undefined || signed.includes('x-amz-security-token'));
  if (!isKnown)
    return {
      type: 'UnrecognizedClientException',
      message: 'The security token included in the request is invalid.',
    };
  const canonical = [
    request.method,
    // The path as it is on the wire, each segment encoded once more.
    (request.url ?? '/').split('/').map(encodeURIComponent).join('/'),
    '',
    ...signed.map((name) => `${name}:${String(request.headers[name] ?? '').trim()}`),
    '',
    parts['signed'],
    createHash('sha256').update(body).digest('hex'),
  ].join('\n');
  const scope = `${parts['day']}/${account.region}/bedrock/aws4_request`;
  const digest = createHash('sha256').update(canonical).digest('hex');
  const toSign = ['AWS4-HMAC-SHA256', String(request.headers['x-amz-date']), scope, digest].join('\n');
  const key = [parts['day']!, account.region, 'bedrock', 'aws4_request'].reduce<Buffer | string>(
    (secret, word) => createHmac('sha256', secret).update(word).digest(),
    `AWS4${account.secretAccessKey}`,
  );
  if (createHmac('sha256', key).update(toSign).digest('hex') === parts['signature']) return undefined;
  // As AWS words it, which repeats the session token.
  const message = `The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this request should have been\n'${canonical}'`;
  return { type: 'InvalidSignatureException', message };
}
