import { parseArgs } from 'node:util';
import { bites, configurations } from './configurations.ts';
import { type RuleName, allRules, allRulesBut, ruleNames, rules } from './rules.ts';
import { search } from './search.ts';

const { values } = parseArgs({
  options: { without: { type: 'string' }, configuration: { type: 'string' } },
});

if (values.without !== undefined) {
  const rule = values.without as RuleName;
  if (!ruleNames.includes(rule)) {
    console.error(`There is no rule '${values.without}'. Name one of: ${ruleNames.join(', ')}.`);
    process.exit(1);
  }
  const configuration = values.configuration
    ? configurations[values.configuration]!
    : bites[rule].configuration;
  const { wrong, trace, states } = search({ configuration, inForce: allRulesBut(rule) });
  console.log(`Rule ${rules[rule].number}: ${rules[rule].sentence}\nWithout it ${rules[rule].without}.\n`);
  for (const [index, says] of trace.entries()) console.log(`${String(index + 1).padStart(3)}. ${says}`);
  console.log(wrong ? `\n${wrong}` : `Nothing goes wrong in this configuration (${states} states).`);
} else {
  for (const [name, configuration] of Object.entries(configurations)) {
    if (values.configuration !== undefined && values.configuration !== name) continue;
    const startedMs = performance.now();
    const { wrong, trace, states } = search({ configuration, inForce: allRules });
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.log(`${name}: ${wrong ?? 'holds'} (${states} states, ${seconds} s)`);
    for (const [index, says] of trace.entries()) console.log(`${String(index + 1).padStart(3)}. ${says}`);
  }
}
