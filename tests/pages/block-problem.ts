import { leaves } from '../../cli/document.ts';
import { fullName, openProgram } from '../../cli/program.ts';
import { attributeProblems } from '../../schemas/attributes.ts';
import { findRow } from '../../schemas/catalogue.ts';
import type { Envelope } from '../../schemas/envelope.ts';
import { problemsOf } from '../../schemas/validate.ts';
import type { Block } from './blocks.ts';
import { outputProblem } from './output.ts';
import { commandProblem, commandsOf } from './shell.ts';
import { yamlProblem } from './yaml.ts';

function shellProblem(block: Block): string | undefined {
  const problems = commandsOf(block).flatMap((line) => {
    const problem = commandProblem(line);
    return problem === undefined ? [] : [`${line}: ${problem}`];
  });
  return problems.length > 0 ? problems.join('; ') : undefined;
}

function usageProblem({ text }: Block): string | undefined {
  const usages = leaves(openProgram()).map((one) => `./switchyard ${fullName(one)} ${one.usage()}`.trimEnd());
  return usages.includes(text.trimEnd())
    ? undefined
    : 'it is the usage of no verb of ours; give it a language';
}

/** Every JSON that our pages show is a message. */
function messageProblem({ text }: Block): string | undefined {
  try {
    const event = JSON.parse(text) as Envelope;
    const problems = [...attributeProblems({ ...event }), ...problemsOf(event)];
    return problems.length > 0 ? problems.join('; ') : undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The names in a drawing that are made as the types of messages are. */
function drawingProblem({ text }: Block): string | undefined {
  const names = [...text.matchAll(/(?:-- |-\. | == )(\w+\.\w+) /g)].map((match) => match[1]!);
  const unknown = names.filter((name) => !findRow(name) && !/^yard\.(submit|query)$/.test(name));
  return unknown.length > 0 ? `the contract has no ${unknown.join(', ')}` : undefined;
}

const checks: Record<string, (block: Block) => string | undefined> = {
  '': usageProblem,
  json: messageProblem,
  mermaid: drawingProblem,
  sh: shellProblem,
  text: ({ text }) => outputProblem(text),
  yaml: yamlProblem,
};

/** What is wrong with a block of a page; a language that nobody checks is wrong too. */
export function blockProblem(block: Block): string | undefined {
  const check = Object.hasOwn(checks, block.language) ? checks[block.language] : undefined;
  return check ? check(block) : `nobody checks a block of ${block.language}`;
}
