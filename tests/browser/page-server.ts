import { createServer, type Server } from 'node:http';
import { readFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { extname, join, normalize } from 'node:path';
import type { AddressInfo } from 'node:net';
import { contentPolicy } from '../../observability/observer/page-server.ts';
import { root } from '../tree.ts';

const dashboardRoot = join(root, 'observability/dashboard');
export const builtPage = join(dashboardRoot, 'dist');

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/** Builds the page where that was not done yet, or not from these sources. */
export function buildPage(): void {
  execFileSync(process.execPath, [join(root, 'setup/dashboard.mjs')], { stdio: 'pipe' });
}

/** Serves the built page and nothing else, on loopback, as the observer lets it do: there is no mesh behind it. */
export async function servePage(): Promise<{ url: string; stop(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://page').pathname);
    const file = join(builtPage, path === '/' ? 'index.html' : path);
    readFile(file).then(
      (body) =>
        response
          .writeHead(200, {
            'content-type': types[extname(file)] ?? 'application/octet-stream',
            'content-security-policy': contentPolicy(''),
          })
          .end(body),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
