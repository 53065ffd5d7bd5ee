import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, openSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { freePort } from './terminal.ts';

export interface LitellmGateway {
  /** `http://127.0.0.1:PORT`. */
  url: string;
  /** All that it has written so far. */
  log(): string;
  stop(): Promise<void>;
}

/**
 * Starts a real LiteLLM on loopback, before one server that speaks the OpenAI API: each of `models` is a logical name for
 * `upstreamModel` there. It knows no provider's key, wants `key` from its clients, and can reach nothing but loopback.
 */
export async function startLitellm(options: {
  program: string;
  upstream: string;
  upstreamModel: string;
  models: string[];
  key: string;
}): Promise<LitellmGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-litellm-'));
  const port = await freePort();
  const deployment = {
    model: `openai/${options.upstreamModel}`,
    api_base: options.upstream,
    api_key: 'none',
  };
  writeFileSync(
    join(folder, 'config.yaml'),
    stringify({
      model_list: options.models.map((name) => ({ model_name: name, litellm_params: deployment })),
      litellm_settings: { telemetry: false, num_retries: 0, request_timeout: 60 },
      // One failure would otherwise keep all that follow away from the server for seconds.
      router_settings: { num_retries: 0, disable_cooldowns: true },
    }),
  );
  const logFile = join(folder, 'gateway.log');
  const output = openSync(logFile, 'w');
  const nowhere = 'http://127.0.0.1:9';
  const arguments_ = ['--config', 'config.yaml', '--host', '127.0.0.1', '--port', `${port}`];
  const child = spawn(options.program, [...arguments_, '--telemetry', 'False'], {
    cwd: folder,
    stdio: ['ignore', output, output],
    // With its own group, so that its workers end with it.
    detached: true,
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      LITELLM_MASTER_KEY: options.key,
      LITELLM_LOCAL_MODEL_COST_MAP: 'True',
      LITELLM_TELEMETRY: 'False',
      HTTP_PROXY: nowhere,
      HTTPS_PROXY: nowhere,
      NO_PROXY: '127.0.0.1,localhost',
    },
  });
  let failure: string | undefined;
  const ended = new Promise<void>((resolve) => {
    child.on('error', (error) => (failure = error.message)).on('close', () => resolve());
    child.on('exit', (code) => (failure ??= `it ended with ${code}`));
  });
  const log = () => readFileSync(logFile, 'utf8');
  const gateway: LitellmGateway = {
    url: `http://127.0.0.1:${port}`,
    log,
    async stop() {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
  // Importing it takes seconds, on a busy machine many.
  const untilMs = Date.now() + 150_000;
  while (!(await lives(gateway.url))) {
    if (failure !== undefined || Date.now() > untilMs) {
      const words = `${failure ?? 'it did not answer in time'}: ${log().trim().slice(-2000)}`;
      await gateway.stop();
      throw new Error(`LiteLLM could not be started: ${words}`);
    }
    await sleep(250);
  }
  return gateway;
}

async function lives(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/liveliness`)).ok;
  } catch {
    return false;
  }
}
