// Explores the protocol by hand:
//   node tests/protocol-model/main.ts                                    every mesh, with all rules
//   node tests/protocol-model/main.ts --without 'ack after relay'        what goes wrong without a rule
//   node tests/protocol-model/main.ts --configuration 'two zombies'      one mesh; also beside --without
import { parseArgs } from 'node:util';
import { bites, configurations } from './configurations.ts';
import { type RuleName, allRules, allRulesBut, ruleNames, rules } from './rules.ts';
import { type Finding, search } from './search.ts';

const { values } = parseArgs({
  options: { without: { type: 'string' }, configuration: { type: 'string' } },
});
const rule = oneOf('rule', values.without, ruleNames);
const chosen = oneOf('configuration', values.configuration, Object.keys(configurations));

if (rule) {
  const configuration = chosen ? configurations[chosen]! : bites[rule].configuration;
  console.log(`Rule ${rules[rule].number}: ${rules[rule].sentence}\nWithout it ${rules[rule].without}.\n`);
  const finding = search({ configuration, inForce: allRulesBut(rule) });
  printTrace(finding);
  console.log(
    finding.wrong ??
      `Nothing goes wrong in this mesh (${finding.states} states): another rule covers for it, or its fault never strikes.`,
  );
} else {
  for (const name of chosen ? [chosen] : Object.keys(configurations)) {
    const startedMs = performance.now();
    const finding = search({ configuration: configurations[name]!, inForce: allRules });
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.log(`${name}: ${finding.wrong ?? 'holds'} (${finding.states} states, ${seconds} s)`);
    printTrace(finding);
  }
}

function printTrace({ trace }: Finding): void {
  for (const [index, says] of trace.entries()) console.log(`${String(index + 1).padStart(3)}. ${says}`);
}

function oneOf<Name extends RuleName | string>(
  noun: string,
  name: string | undefined,
  names: readonly Name[],
): Name | undefined {
  const found = names.find((one) => one === name);
  if (name === undefined || found !== undefined) return found;
  console.error(`There is no ${noun} '${name}'. Name one of: ${names.join(', ')}.`);
  process.exit(1);
}
