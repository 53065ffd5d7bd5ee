import type { ProxyEnv } from 'node:http';
import { isLocal, isLoopback } from '../../schemas/model-backends.ts';
import type { ModelDefinition } from '../backend.ts';

/** Hosts of this machine, which no proxy is asked for. */
const ownHosts = new Set(['localhost', '.localhost', '127.0.0.1', '[::1]', '::1']);
let inUse: { proxy: ProxyEnv; restore(): void } | undefined;

/**
 * From here on this process asks servers elsewhere by the proxy that HTTPS_PROXY or HTTP_PROXY names, but for the hosts
 * of NO_PROXY and this machine's own. Nothing changes where none is named, or for the sake of a model on this machine.
 */
export async function useProxy(
  definition: Pick<ModelDefinition, 'backend' | 'model' | 'url'>,
  environment: Record<string, string | undefined>,
): Promise<void> {
  const { url } = definition;
  if (url !== undefined && isLoopback(url)) ownHosts.add(new URL(url).hostname);
  if (isLocal(definition) && inUse === undefined) return;
  const proxy = proxyOf(environment);
  if (!proxy || JSON.stringify(proxy) === JSON.stringify(inUse?.proxy)) return;
  // Not before: with it comes Node's own fetch, which takes a fifth of the time that a command takes to start.
  const { setGlobalProxyFromEnv } = await import('node:http');
  inUse?.restore();
  inUse = { proxy, restore: setGlobalProxyFromEnv(proxy) };
}

/** For agents of one's own; Node's global ones know it already. */
export const proxyInUse = (): ProxyEnv | undefined => inUse?.proxy;

/** In small letters they go first, as with curl and with Node. */
function proxyOf(environment: Record<string, string | undefined>): ProxyEnv | undefined {
  const read = (name: string) => environment[name.toLowerCase()]?.trim() || environment[name]?.trim();
  const http = read('HTTP_PROXY');
  const https = read('HTTPS_PROXY');
  if (!http && !https) return undefined;
  const NO_PROXY = [read('NO_PROXY'), ...ownHosts].filter(Boolean).join(',');
  return { ...(http && { HTTP_PROXY: http }), ...(https && { HTTPS_PROXY: https }), NO_PROXY };
}
