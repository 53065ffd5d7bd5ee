import type { RuleName } from './rules.ts';
import type { Configuration } from './state.ts';

/** One process a role, a run of one call and one tool act, no fault; and what differs from that. */
const small = (differs: Partial<Configuration>): Configuration => ({
  processes: {},
  steps: ['call', 'tool'],
  isOpaque: false,
  mayEndRed: false,
  mostRuns: 2,
  callAttempts: 1,
  isFirstPoolEmpty: false,
  hasTimers: true,
  restSweeps: 0,
  faults: {},
  ...differs,
});

/** Small meshes in which the rules together must hold, chosen so that each fault meets each kind of step. */
export const configurations: Record<string, Configuration> = {
  'two crashes': small({ hasTimers: false, faults: { crash: 2 } }),
  'a longer run, a crash': small({ steps: ['call', 'tool', 'call'], faults: { crash: 1 } }),
  'red tests, a crash': small({ mayEndRed: true, hasTimers: false, faults: { crash: 1 } }),
  'two tools in turn, a zombie, an ambiguous append': small({
    processes: { coder: 2 },
    steps: ['call', 'tool', 'tool'],
    hasTimers: false,
    faults: { lapse: 1, ambiguous: 1 },
  }),
  'opaque tools, a crash, an ambiguous append': small({
    processes: { coder: 2 },
    isOpaque: true,
    faults: { crash: 1, ambiguous: 1 },
  }),
  'opaque tools, a crash, a zombie': small({
    processes: { coder: 2 },
    isOpaque: true,
    hasTimers: false,
    faults: { crash: 1, lapse: 1 },
  }),
  'two zombies': small({ processes: { inference: 2, coder: 2 }, hasTimers: false, faults: { lapse: 2 } }),
  'a zombie, a stale cache': small({
    processes: { coder: 2 },
    steps: ['call', 'tool', 'call'],
    hasTimers: false,
    faults: { lapse: 1, stale: 1 },
  }),
  'a zombie, a duplicate': small({
    processes: { inference: 2 },
    hasTimers: false,
    faults: { lapse: 1, duplicate: 1 },
  }),
  'a forgotten delivery, a crash': small({
    processes: { inference: 2 },
    hasTimers: false,
    faults: { forget: 1, crash: 1 },
  }),
  'a forgotten delivery, a zombie, opaque tools': small({
    processes: { coder: 2 },
    isOpaque: true,
    hasTimers: false,
    faults: { forget: 1, lapse: 1 },
  }),
  'a cancel, a zombie': small({ faults: { cancel: 1, lapse: 1 } }),
  'a cancel among two managers and two coders': small({
    processes: { manager: 2, coder: 2 },
    faults: { cancel: 1 },
  }),
  'a pause, a cancel': small({ steps: ['call'], hasTimers: false, faults: { pause: 1, cancel: 1 } }),
  'an empty pool, a crash': small({ isFirstPoolEmpty: true, callAttempts: 2, faults: { crash: 1 } }),
  'an empty pool, a zombie': small({
    processes: { coder: 2 },
    isFirstPoolEmpty: true,
    callAttempts: 2,
    faults: { lapse: 1 },
  }),
  'two losses': small({ restSweeps: 5, faults: { lose: 2 } }),
  'a loss, a crash': small({ restSweeps: 5, faults: { lose: 1, crash: 1 } }),
  'a loss, a zombie': small({ restSweeps: 5, faults: { lose: 1, lapse: 1 } }),
  'a sweep while all is well': small({
    processes: { coder: 2, inference: 2 },
    hasTimers: false,
    faults: { sweep: 1 },
  }),
};

/**
 * For each rule a mesh in which leaving it out does harm, as small as there is one, and the words that the harm shows in.
 * Elsewhere another rule may cover for it: a sweep for a relay, a timer for an answer.
 */
export const bites: Record<RuleName, { configuration: Configuration; harm: string }> = {
  'compare and set': {
    configuration: small({ processes: { coder: 2 }, hasTimers: false, faults: { duplicate: 1 } }),
    harm: 'appended on run 1 after its conclusion',
  },
  'relay what is owed': { configuration: small({ faults: { crash: 1 } }), harm: 'stuck' },
  'ack after relay': { configuration: small({ faults: { crash: 1 } }), harm: 'stuck' },
  'nothing only on a fresh read': {
    configuration: small({
      processes: { coder: 2 },
      steps: ['call', 'call'],
      hasTimers: false,
      faults: { stale: 1 },
    }),
    harm: 'stuck',
  },
  'ownership is the claim': {
    configuration: small({ processes: { inference: 2 }, hasTimers: false, faults: { duplicate: 1 } }),
    harm: 'call 1.0.1 performed 2 times, with 0 leases ended',
  },
  'only a redelivery takes over': {
    configuration: small({ processes: { inference: 2 }, hasTimers: false, faults: { duplicate: 1 } }),
    harm: 'call 1.0.1 performed 2 times, with 0 leases ended',
  },
  'take over by an epoch': {
    configuration: small({
      processes: { inference: 3 },
      hasTimers: false,
      faults: { lapse: 1, duplicate: 1 },
    }),
    harm: 'call 1.0.1 performed 3 times, with 1 leases ended',
  },
  'the fenced are silent': {
    configuration: small({
      processes: { inference: 2 },
      steps: ['call'],
      hasTimers: false,
      faults: { lapse: 1, crash: 1 },
    }),
    harm: 'stuck',
  },
  'unclean append decides again': { configuration: small({ faults: { ambiguous: 1 } }), harm: 'stuck' },
  'fenced only by epoch': {
    configuration: small({ processes: { coder: 2 }, callAttempts: 2 }),
    harm: 'tool 1.1 performed 2 times, with 0 leases ended',
  },
  'only the open call advances': {
    configuration: small({ steps: ['call'], callAttempts: 2 }),
    harm: 'call 1.0.1, no longer current, moved run 1',
  },
  'only the current run concludes': {
    configuration: small({ hasTimers: false, faults: { pause: 1 } }),
    harm: 'run 1, no longer current, moved task',
  },
  'stop before start': {
    configuration: small({ faults: { cancel: 1 } }),
    harm: 'started appended on run 1 after its stop was handled',
  },
  'cancel before submit': { configuration: small({ faults: { cancel: 1 } }), harm: 'a cancel was lost' },
  'a call declares an intent': {
    configuration: small({ processes: { inference: 2 }, hasTimers: false, faults: { duplicate: 1 } }),
    harm: 'call 1.0.1 performed 2 times, with 0 leases ended',
  },
  'deadline with the question': { configuration: small({ isFirstPoolEmpty: true }), harm: 'stuck' },
  sweep: { configuration: small({ restSweeps: 3, faults: { lose: 1 } }), harm: 'stuck' },
  'sweep pulls answers': { configuration: small({ restSweeps: 3, faults: { lose: 1 } }), harm: 'stuck' },
  'sweep with a fresh id': { configuration: small({ restSweeps: 3, faults: { lose: 1 } }), harm: 'stuck' },
  'sweep reopens intents': {
    configuration: small({ hasTimers: false, restSweeps: 3, faults: { lose: 1, crash: 1 } }),
    harm: 'stuck',
  },
  'manager folds inputs': {
    configuration: small({ steps: ['call'], isFirstPoolEmpty: true, faults: { pause: 1, crash: 1 } }),
    harm: "'pause' was decided twice",
  },
};
