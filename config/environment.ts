import { logLevels } from './config.ts';
import { telemetryVariables } from './telemetry-variables.ts';

/** A variable that Switchyard reads. */
export interface EnvironmentVariable {
  name: string;
  /** `person`: for you to set; `secret`: a key, read by inference processes only; `system`: there already; `mesh`: by Switchyard itself for its processes. */
  setBy: 'person' | 'secret' | 'system' | 'mesh';
  meaning: string;
  /** What holds where it is not set, in words. */
  standard: string;
  example?: string;
  /** All that may stand in it; another value stops whoever reads the configuration. Left out: anything may. */
  accepts?: readonly string[];
  /** Several of them may stand there, with a comma between. */
  isList?: true;
}

/** Every variable that Switchyard reads; a test compares it with the source tree and with `.env.example`. */
export const environmentVariables: EnvironmentVariable[] = [
  {
    name: 'SWITCHYARD_STATE',
    setBy: 'person',
    meaning:
      'Folder with all that a mesh keeps: journals, logs, workspaces, credentials. `--state DIR` goes before it',
    standard: '.switchyard in the checkout',
    example: '/var/lib/switchyard',
  },
  {
    name: 'SWITCHYARD_CONFIG',
    setBy: 'person',
    meaning: 'The configuration file. `--config FILE` goes before it',
    standard: 'switchyard.yaml beside the state folder, else in the checkout',
    example: '/etc/switchyard/switchyard.yaml',
  },
  {
    name: 'SWITCHYARD_LOG_LEVEL',
    setBy: 'person',
    meaning: 'The least severe log lines that are written: trace, debug, info, warn, error, silent',
    standard: 'log.level of the configuration, which is info',
    example: 'debug',
    accepts: logLevels,
  },
  {
    name: 'SWITCHYARD_NATS_SERVER',
    setBy: 'person',
    meaning: 'Path of the nats-server program that `up` starts',
    standard: 'a good one on the PATH, else one that is fetched and verified',
    example: '/usr/local/bin/nats-server',
  },
  {
    name: 'SWITCHYARD_BWRAP',
    setBy: 'person',
    meaning: 'Path of the bubblewrap program that holds what agents run',
    standard: 'bwrap on the PATH, else one that is fetched and verified',
    example: '/usr/bin/bwrap',
  },
  {
    name: 'SWITCHYARD_CHROMIUM',
    setBy: 'person',
    meaning: 'Path of the Chromium in which `npm test` opens the dashboard',
    standard: 'one on the PATH, else one from the package registry',
    example: '/usr/bin/chromium',
  },
  {
    name: 'SWITCHYARD_FAULT',
    setBy: 'person',
    meaning: 'For tests only: at which point a process is to die or stop',
    standard: 'nothing happens',
  },
  {
    name: 'OPENAI_API_KEY',
    setBy: 'secret',
    meaning: 'Key for `--model openai:NAME`',
    standard: 'none; such a model is refused',
  },
  {
    name: 'SWITCHYARD_MODEL_KEY',
    setBy: 'secret',
    meaning: 'Key for `--model http://HOST:PORT/v1#NAME`, where that server wants one',
    standard: 'none is sent',
  },
  {
    name: 'OPENAI_BASE_URL',
    setBy: 'person',
    meaning: 'Where `--model openai:NAME` is asked',
    standard: 'https://api.openai.com/v1',
    example: 'http://127.0.0.1:4000/v1',
  },
  {
    name: 'LITELLM_BASE_URL',
    setBy: 'person',
    meaning: 'Where `litellm` models are asked unless their entries say so, with or without `/v1`',
    standard: 'http://127.0.0.1:4000',
    example: 'http://127.0.0.1:4000',
  },
  {
    name: 'LITELLM_API_KEY',
    setBy: 'secret',
    meaning: 'Key for `litellm` models, unless their entries name another variable',
    standard: 'none is sent',
  },
  {
    name: 'ANTHROPIC_API_KEY',
    setBy: 'secret',
    meaning: "Key for Anthropic's models",
    standard: 'none; such a model is refused',
  },
  {
    name: 'ANTHROPIC_BASE_URL',
    setBy: 'person',
    meaning: "Where Anthropic's models are asked whose entries give no `url`",
    standard: 'https://api.anthropic.com',
    example: 'https://gateway.example',
  },
  {
    name: 'OLLAMA_HOST',
    setBy: 'person',
    meaning: 'Where models of Ollama are asked whose entries give no `url`, in the forms that Ollama accepts',
    standard: '127.0.0.1:11434',
    example: '127.0.0.1:11434',
  },
  {
    name: 'OLLAMA_CONTEXT_LENGTH',
    setBy: 'person',
    meaning: 'The context, in tokens, that `--model ollama:NAME` asks Ollama to give the model',
    standard: '32768',
    example: '65536',
  },
  {
    name: 'OLLAMA_KEEP_ALIVE',
    setBy: 'person',
    meaning: 'How long Ollama keeps a model in memory after a call, as Ollama writes it: 1h, or -1 for ever',
    standard: '30m',
    example: '1h',
  },
  {
    name: 'AWS_REGION',
    setBy: 'person',
    meaning: 'The AWS region in which a `bedrock` model is asked, where its entry names none',
    standard: "AWS_DEFAULT_REGION, else the profile's region",
    example: 'eu-central-1',
  },
  {
    name: 'AWS_DEFAULT_REGION',
    setBy: 'person',
    meaning: 'The same, as some AWS tools call it',
    standard: "the profile's region",
  },
  {
    name: 'AWS_PROFILE',
    setBy: 'person',
    meaning: 'The profile of your AWS files whose credentials are used; goes before keys in the environment',
    standard: 'the keys in the environment, else the profile `default`',
    example: 'work',
  },
  {
    name: 'AWS_ACCESS_KEY_ID',
    setBy: 'secret',
    meaning: 'An AWS access key, for `bedrock` models',
    standard: 'profiles, then the role of the container or instance',
  },
  {
    name: 'AWS_SECRET_ACCESS_KEY',
    setBy: 'secret',
    meaning: 'The secret of that access key',
    standard: 'none',
  },
  {
    name: 'AWS_SESSION_TOKEN',
    setBy: 'secret',
    meaning: 'The session of that access key, where it is temporary',
    standard: 'none',
  },
  {
    name: 'AWS_BEARER_TOKEN_BEDROCK',
    setBy: 'secret',
    meaning: 'A key of Bedrock itself; goes before all other AWS credentials',
    standard: 'none',
  },
  {
    name: 'AWS_CONFIG_FILE',
    setBy: 'person',
    meaning: 'Your AWS configuration file',
    standard: '~/.aws/config',
  },
  {
    name: 'AWS_SHARED_CREDENTIALS_FILE',
    setBy: 'person',
    meaning: 'Your AWS credentials file',
    standard: '~/.aws/credentials',
  },
  {
    name: 'AWS_ROLE_ARN',
    setBy: 'person',
    meaning: 'The role that is taken with AWS_WEB_IDENTITY_TOKEN_FILE; Kubernetes on AWS sets both',
    standard: 'none',
  },
  {
    name: 'AWS_ROLE_SESSION_NAME',
    setBy: 'person',
    meaning: 'How sessions of that role are named',
    standard: 'a name made by the AWS client',
  },
  {
    name: 'AWS_WEB_IDENTITY_TOKEN_FILE',
    setBy: 'person',
    meaning: 'The file of the token by which that role is taken',
    standard: 'none',
  },
  {
    name: 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
    setBy: 'person',
    meaning: 'Where a container on AWS gets the credentials of its role; AWS sets it',
    standard: 'none',
  },
  {
    name: 'AWS_CONTAINER_CREDENTIALS_FULL_URI',
    setBy: 'person',
    meaning: 'The same, as a whole address',
    standard: 'none',
  },
  {
    name: 'AWS_CONTAINER_AUTHORIZATION_TOKEN',
    setBy: 'secret',
    meaning: 'What the container shows there',
    standard: 'none',
  },
  {
    name: 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
    setBy: 'person',
    meaning: 'The file of what the container shows there',
    standard: 'none',
  },
  {
    name: 'AWS_EC2_METADATA_DISABLED',
    setBy: 'person',
    meaning: '`true`: the instance is not asked for a role, so that missing credentials are told at once',
    standard: 'it is asked, last of all',
    example: 'true',
  },
  {
    name: 'HF_ENDPOINT',
    setBy: 'person',
    meaning: 'Where `models pull hf:OWNER/REPO/FILE.gguf` fetches from',
    standard: 'https://huggingface.co',
  },
  {
    name: 'HF_HOME',
    setBy: 'person',
    meaning: "The folder of Hugging Face's own tools; `config init` looks for GGUF files in `hub` below it",
    standard: '~/.cache/huggingface',
  },
  ...telemetryVariables,
  {
    name: 'NO_COLOR',
    setBy: 'person',
    meaning: 'Set to anything: no colours on the terminal',
    standard: 'colours where the output is a terminal',
    example: '1',
  },
  {
    name: 'XDG_CACHE_HOME',
    setBy: 'person',
    meaning: 'Programs that were fetched are kept in `switchyard` below it',
    standard: '~/.cache',
    example: '/var/cache',
  },
  {
    name: 'XDG_CONFIG_HOME',
    setBy: 'person',
    meaning: "The `nats` CLI's contexts are written to `nats/context` below it",
    standard: '~/.config',
  },
  {
    name: 'SWITCHYARD_CUSTODY',
    setBy: 'mesh',
    meaning: 'Number of the pipe on which a process tells its launcher which messages it holds',
    standard: 'nobody is told; a message comes back after its lease',
  },
  {
    name: 'PATH',
    setBy: 'system',
    meaning: 'Where programs are looked for',
    standard: 'as your shell has it',
  },
  {
    name: 'HOME',
    setBy: 'system',
    meaning: 'Your home folder; the nats-server that `up` starts is given it',
    standard: 'as the system knows it',
  },
  {
    name: 'TERM',
    setBy: 'system',
    meaning: 'The kind of terminal; on a `dumb` one `watch` appends lines instead of redrawing its screen',
    standard: 'as your terminal sets it',
  },
  {
    name: 'TZ',
    setBy: 'system',
    meaning: 'The time zone; the nats-server that `up` starts is given it for its log',
    standard: "the system's own",
  },
];
