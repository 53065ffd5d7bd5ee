import { afterAll, expect, test } from 'vitest';
import { bites, configurations } from './configurations.ts';
import { allRules, allRulesBut, ruleNames, rules } from './rules.ts';
import { search } from './search.ts';

const report: string[] = [];
let statesInAll = 0;

afterAll(() => {
  report.unshift(`all rules together: ${statesInAll} states in ${Object.keys(configurations).length} meshes`);
  console.log(report.join('\n'));
});

test.each(Object.entries(configurations))('protocol: holds with %s', (_, configuration) => {
  const { wrong, trace, states } = search({ configuration, inForce: allRules });
  expect(wrong && [...trace, wrong]).toBeUndefined();
  statesInAll += states;
});

test.each(ruleNames)('protocol: goes wrong without "%s"', (rule) => {
  const { configuration, harm } = bites[rule];
  const { wrong, trace } = search({ configuration, inForce: allRulesBut(rule) });
  expect(wrong).toContain(harm);
  report.push(`rule ${rules[rule].number}, without "${rule}": ${wrong} (${trace.length} steps)`);
});

/** Meshes in which rules bite, each once, with the rules that bite there. */
const biting = Map.groupBy(ruleNames, (rule) => JSON.stringify(bites[rule].configuration));

test.each([...biting.values()].map((names) => [names.join('", "'), names[0]!] as const))(
  'protocol: holds there with "%s"',
  (_, rule) => {
    const { wrong, trace } = search({ configuration: bites[rule].configuration, inForce: allRules });
    expect(wrong && [...trace, wrong]).toBeUndefined();
  },
);

test('protocol: every one of the sixteen rules is in the table', () => {
  const numbers = new Set(Object.values(rules).map((rule) => rule.number));
  expect([...numbers].toSorted((one, other) => one - other)).toEqual(
    Array.from({ length: 16 }, (_, index) => index + 1),
  );
});
