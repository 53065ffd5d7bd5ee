import type { Config } from './config.ts';

export type SectionName = keyof Config;

/**
 * A new `switchyard.yaml`, as `config init` writes it: all in comments, so that the defaults hold until somebody takes
 * a `#` away. `# text` explains, `#option: value` is an option.
 */
export function configTemplate(): string {
  return [heading, ...Object.values(sections)].join('\n');
}

/** A section of the template with its options in force; an example that loads together with the other sections. */
export function exampleOf(section: SectionName): string {
  return inForce(sections[section]);
}

/** Takes the `#` away where an option stands behind it. */
export function inForce(template: string): string {
  return template.replaceAll(/^( *)#(?=[^\s#])/gm, '$1');
}

const heading = `# Switchyard's configuration. What is not given has its default; docs/configuration.md explains every option.
# Check it with: ./switchyard config validate
# To use an option, take the # before it away, and the # before the section that it is in.
`;

const sections: Record<SectionName, string> = {
  mesh: `# The message broker and how work is handed over.
#mesh:
  # A second mesh needs a name and a namespace of its own.
  #name: switchyard
  #namespace: yard
  # What an accepted message survives: a power cut, or only the death of a process (faster).
  #durability: power
  # Port of the server that \`up\` starts; a free one where it is left out.
  #port: 4222
  #leaseMs: 6000
  #sweepMs: 15000
`,
  processes: `# How many processes of each role \`up\` starts.
#processes:
  #coder: 2
  #inference: 1
`,
  slots: `# How many messages one process of a role handles at a time.
#slots:
  #coder: 4
  #inference: 8
`,
  allow: `# What tasks may touch and run. \`up --repo DIR\` and \`fix DIR\` add the one repository that you name there.
# A list given here is taken in place of the default one.
#allow:
  #repositories: [~/projects]
  #tests: [npm test, node --test, pytest]
  # These run with network, so none is allowed by default.
  #setups: [npm ci]
  # The program and its arguments: * is any one argument, ** any rest.
  #programs:
    #- [node, --test, '**']
    #- [npm, test]
`,
  limits: `# How far a task may go. A dollar is 1000000 micro-dollars.
#limits:
  #hops: 5
  #cycles: 2
  #attempts: 3
  #budgetMicroDollars: 5000000
  #deadlineMs: 3600000
`,
  models: `# The models that may be asked. Keys are named by their environment variable, never written here.
#models:
  #local:
    #backend: openai
    #model: qwen3-coder:30b
    #url: http://127.0.0.1:11434/v1
    #contextTokens: 32768
    #tags: [local, code]
  #large:
    #backend: openai
    #model: gpt-5.1
    #url: https://api.openai.com/v1
    #apiKeyVariable: OPENAI_API_KEY
    #pool: openai
    #contextTokens: 128000
    #prices: { inputMicroDollars: 1250000, outputMicroDollars: 10000000, source: price list, asOf: '2026-11-20' }
`,
  roles: `# Which models a role asks: the first is preferred, the rest are its fallbacks.
#roles:
  #coder: { models: [local, large], temperature: 0.2 }
  #reviewer: { models: [large, local] }
`,
  routes: `# Rules that choose by the work; the first that holds decides, before \`roles\`.
#routes:
  #- name: long reading
    #when: { role: coder, contextAbove: 24000 }
    #models: [large]
    #confidence: 0.9
    #why: the local model would not hold it
`,
  tools: `# What the tools of agents may do.
#tools:
  #withoutSandbox: refuse
  #timeoutMs: 120000
  #outputBytes: 30000
  # Globs begin with *, so they need quotes.
  #protect: ['**/*.test.*', '**/test/**']
`,
  log: `# trace, debug, info, warn, error or silent.
#log:
  #level: info
`,
};
