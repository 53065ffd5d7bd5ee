import { BedrockRuntimeClient } from '@aws-sdk/client-bedrock-runtime';
import type { BedrockRuntimeClientConfig } from '@aws-sdk/client-bedrock-runtime';
import { BackendError } from '../backend.ts';
import type { ModelDefinition } from '../backend.ts';
import { bedrockTransport } from './bedrock-transport.ts';

type Environment = Record<string, string | undefined>;

/** Where Bedrock is asked and as whom, once both are known. */
export interface Connection {
  client: BedrockRuntimeClient;
  region: string;
  /** The endpoint, without a slash at its end. */
  address: string;
  /** Where the credentials came from, in words that name the variables. */
  credentials: string;
  /** The same without words: what a person sets to mend them. */
  variables: string;
  /** What must not stand in any message. */
  secrets: string[];
}

const waysIn =
  'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, if they are temporary), or AWS_PROFILE, or AWS_BEARER_TOKEN_BEDROCK where the mesh is started, and start it again; a role of the container or the instance is found by itself';

/**
 * Looks for region and credentials as AWS's own tools do: the entry and the environment first, then profiles, then the
 * roles of the container or instance. Throws a permanent BackendError that names what to set. Resolving may ask AWS
 * (for a role or a login), and is done again with each call, since such credentials expire; the client keeps them
 * until then.
 */
export async function connect(
  definition: ModelDefinition,
  environment: Environment,
): Promise<() => Promise<Connection>> {
  const identity = identityOf(environment);
  const region = await regionOf(definition, environment);
  const base = { region, maxAttempts: 1, requestHandler: bedrockTransport(), ...identity.config };
  const address = (definition.url ?? endpointOf(region)).replace(/\/+$/, '');
  // Given always, so that nothing in the environment but what is documented decides where prompts go.
  const client = new BedrockRuntimeClient({ ...base, endpoint: address });
  // No facts of the machine leave it; see the transport.
  client.middlewareStack.remove('getUserAgentMiddleware');
  return async () => {
    const secrets = await secretsOf(client, identity);
    return { client, region, address, credentials: identity.words, variables: identity.variables, secrets };
  };
}

interface Identity {
  config: BedrockRuntimeClientConfig;
  words: string;
  variables: string;
  bearer?: string;
}

function identityOf(environment: Environment): Identity {
  const read = (name: string) => environment[name]?.trim() || undefined;
  const bearer = read('AWS_BEARER_TOKEN_BEDROCK');
  if (bearer !== undefined) {
    const variables = 'AWS_BEARER_TOKEN_BEDROCK';
    const config = { token: { token: bearer }, authSchemePreference: ['httpBearerAuth'] };
    return { config, words: `the Bedrock key in ${variables}`, variables, bearer };
  }
  const profile = read('AWS_PROFILE');
  if (profile !== undefined)
    return { config: { profile }, words: `the profile ${profile} (AWS_PROFILE)`, variables: 'AWS_PROFILE' };
  const accessKeyId = read('AWS_ACCESS_KEY_ID');
  const secretAccessKey = read('AWS_SECRET_ACCESS_KEY');
  const sessionToken = read('AWS_SESSION_TOKEN');
  const variables = `AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY${sessionToken ? ' and AWS_SESSION_TOKEN' : ''}`;
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    const credentials = { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
    return { config: { credentials }, words: `the keys in ${variables}`, variables };
  }
  return { config: {}, words: 'the credentials that the usual AWS chain found', variables };
}

async function regionOf(definition: ModelDefinition, environment: Environment): Promise<string> {
  const named = definition.region ?? environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'];
  if (named?.trim()) return named.trim();
  const profile = environment['AWS_PROFILE']?.trim();
  try {
    return await new BedrockRuntimeClient(profile ? { profile } : {}).config.region();
  } catch {
    throw new BackendError('permanent', `model ${definition.name} has no AWS region`, {
      mend: "give it as the model's region, or set AWS_REGION where the mesh is started",
    });
  }
}

function endpointOf(region: string): string {
  const { endpointProvider } = new BedrockRuntimeClient({ region }).config;
  return endpointProvider({ Region: region, UseFIPS: false, UseDualStack: false }).url.href;
}

async function secretsOf(client: BedrockRuntimeClient, identity: Identity): Promise<string[]> {
  if (identity.bearer !== undefined) return [identity.bearer];
  try {
    const { accessKeyId, secretAccessKey, sessionToken } = await client.config.credentials();
    return [accessKeyId, secretAccessKey, ...(sessionToken ? [sessionToken] : [])];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const found =
      identity.variables === 'AWS_PROFILE' ? `no AWS credentials in ${identity.words}` : 'no AWS credentials';
    throw new BackendError('permanent', `${found}: ${why.replace(/[.\s]+$/, '')}`, { mend: waysIn });
  }
}
