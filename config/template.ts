import { stringify } from 'yaml';
import type { OptionSchema } from './accepted.ts';
import { Config } from './config.ts';

export type SectionName = keyof Config;

/**
 * A new `switchyard.yaml`, as `config init` writes it: all in comments, and every option there is. `# text` explains,
 * `#option: value` is an option. `inPlace` are texts of sections that are to stand otherwise, `more` comes below the heading.
 */
export function configTemplate(
  inPlace: Partial<Record<SectionName, string>> = {},
  more: string = '',
): string {
  const sections = sectionNames.map((name) => inPlace[name] ?? templateOf(name));
  return [`${heading}${more}`, ...sections].join('\n');
}

/** A section of the template with its options in force; an example that loads together with the other sections. */
export function exampleOf(section: SectionName): string {
  const text = inForce(templateOf(section));
  // What each option means stands in the page's table already.
  return written[section] === undefined ? text.replaceAll(/^ *# .*\n/gm, '') : text;
}

/** Takes the `#` away where an option stands behind it. */
export function inForce(template: string): string {
  return template.replaceAll(/^( *)#(?=[^\s#])/gm, '$1');
}

const sectionNames = Object.keys(Config.properties) as SectionName[];

const heading = `# Switchyard's configuration. What is not given has its default; docs/configuration.md explains every option.
# Check it with: ./switchyard config validate
# To use an option, take the # before it away, and the # before the section that it is in.
# The value shown is the default, except where the line above says "Example": there nothing is set by default.
# A list that is given is taken in place of the default one, so keep in it what shall still hold.
`;

/** What an option without a default is shown with. */
const examples: Record<string, unknown> = {
  'mesh.port': 4222,
  'mesh.listen': '192.0.2.10',
  'mesh.page': { port: 4200, socketPort: 4201 },
};

/** Options that do not go with the others, or need a file that is there: they are explained in words. */
const inWords: Record<string, string> = {
  'mesh.url': 'In place of `port`, as `url: nats://127.0.0.1:4222`.',
  'mesh.credentials': 'As `credentials: ~/broker.json`.',
  'mesh.tls': 'As `tls: { certificate: tls/broker.pem, key: tls/broker.key }`.',
};

/** Sections whose options are roles, each with the section's own meaning. */
const byRole = new Set<SectionName>(['processes', 'slots']);

/** Sections whose entries bear names of one's own, and cannot be told from their schema. */
const written: Partial<Record<SectionName, string>> = {
  models: `# The models that may be asked, by names of your choice; none by default. Keys are named by their environment
# variable, never written here. Example:
#models:
  #local:
    # Any server that speaks the OpenAI API.
    #backend: openai
    # The provider's own name of the model; left out: the entry's name.
    #model: qwen3-coder:30b
    #url: http://127.0.0.1:11434/v1
    # The set of inference workers that serves it.
    #pool: default
    # How much the model reads at once and its longest reply, in tokens.
    #contextTokens: 32768
    #maxTokens: 4096
    #timeoutMs: 300000
    #tags: [local, code]
    # small, medium or large; and what it can do, where that is not what its backend declares.
    #tier: medium
    #capabilities: [tools, json-schema, streaming]
  #large:
    #backend: openai
    #model: gpt-5.1
    #url: https://api.openai.com/v1
    #apiKeyVariable: OPENAI_API_KEY
    #pool: openai
    #contextTokens: 128000
    # A million tokens, in millionths of a dollar; what was in the provider's cache may cost less.
    #prices:
      #inputMicroDollars: 1250000
      #outputMicroDollars: 10000000
      #cachedInputMicroDollars: 125000
      #cacheWriteMicroDollars: 1250000
      #source: https://developers.openai.com/api/docs/pricing
      #asOf: '2026-11-20'
  # A LiteLLM gateway takes \`backend: litellm\`, and as \`model\` a name that it lists; its address and key are in
  # LITELLM_BASE_URL and LITELLM_API_KEY. \`api: responses\` asks a model by OpenAI's responses API.
  # A GGUF file that a gpu-worker loads takes \`backend: llama\` and \`file: models/NAME.gguf\`, and if you like
  # \`slots\`, \`threads\`, \`gpuLayers\` and \`workers\`.
  # A model of Amazon Bedrock takes \`backend: bedrock\`, its id as \`model\`, and the AWS credentials that there are;
  # \`region: eu-central-1\` where AWS_REGION does not say.
  # Any model with \`record: cassette.yaml\` has its replies kept, for \`scripted\` to play back.
  # Replies that were written beforehand, not by a model, take two options: \`backend: scripted\` and
  # \`script: replies.yaml\`, a path relative to this file.
`,
  roles: `# Which models a role asks: the first is preferred, the rest are its fallbacks. By default every role has all of
# \`models\`, the provider's own temperature and the models' own maxTokens. Example:
#roles:
  #planner: { models: [large, local] }
  #coder: { models: [local, large], temperature: 0.2, maxTokens: 4096 }
  # In place of \`temperature\`, \`topP\` bounds how unlikely a word may be: \`topP: 0.9\`.
  #tester: { models: [local, large] }
  #reviewer: { models: [large, local] }
`,
  routes: `# Rules that choose by the work; the first that holds decides, before \`roles\`. None by default. Example:
#routes:
  #- name: long reading
    #when: { role: coder, contextAbove: 24000 }
    #models: [large]
    #confidence: 0.9
    #why: the local model would not hold it
  # All of \`when\` must hold: role, kind (tests or goal), contextAbove, and tags that the models must bear.
  #- name: only that the tests pass
    #when: { kind: tests, tags: [code] }
    #models: [local]
    #why: a small change, which the local model makes well
`,
};

function templateOf(section: SectionName): string {
  const schema = Config.properties[section] as OptionSchema;
  if (written[section] !== undefined) return written[section];
  const meaning = wrapped(`${schema.description}.`, '');
  if (!schema.properties) return `${meaning}#${section}: ${inline(schema.default)}\n`;
  return `${meaning}#${section}:\n${optionsOf(section, schema)}`;
}

function optionsOf(section: SectionName, schema: OptionSchema): string {
  return Object.entries(schema.properties ?? {})
    .map(([name, option]) => {
      const path = `${section}.${name}`;
      const words = `${option.description}.`;
      if (inWords[path] !== undefined) return wrapped(`${name}: ${words} ${inWords[path]}`, '  ');
      if (byRole.has(section)) return commented(name, option.default);
      if (option.default !== undefined) return wrapped(words, '  ') + commented(name, option.default);
      return wrapped(`${words} Example:`, '  ') + commented(name, examples[path] ?? exampleBelow(option));
    })
    .join('');
}

/** For each role an example, so that all of them are there. */
function exampleBelow({ properties = {} }: OptionSchema): unknown {
  return Object.fromEntries(
    Object.keys(properties).map((role) => [role, { tools: ['list-dir', 'read-file', 'search-files'] }]),
  );
}

/** An option as YAML, each line of it a comment within a section. */
function commented(name: string, value: unknown): string {
  const lines = JSON.stringify(value).length > 80 ? listed(name, value) : [`${name}: ${inline(value)}`];
  return lines.map((line) => `  ${line.replace(/^ */, '$&#')}\n`).join('');
}

const inline = (value: unknown): string =>
  stringify(value, {
    collectionStyle: 'flow',
    flowCollectionPadding: false,
    lineWidth: 0,
    singleQuote: true,
  }).trimEnd();

/** Long values stand an entry a line, each readable by itself. */
function listed(name: string, value: unknown): string[] {
  const entries = Array.isArray(value)
    ? value.map((one) => `  - ${inline(one)}`)
    : Object.entries(value as object).map(([key, one]) => `  ${key}: ${inline(one)}`);
  return [`${name}:`, ...entries];
}

/** A comment of lines that fit a terminal. */
function wrapped(text: string, indent: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < 105 - indent.length)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => `${indent}# ${line}\n`).join('');
}
