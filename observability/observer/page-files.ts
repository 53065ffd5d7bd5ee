import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.webmanifest': 'application/manifest+json',
  '.txt': 'text/plain; charset=utf-8',
};

/** What stands in the page's place until it is built. */
const notBuilt = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Switchyard</title><meta name="viewport" content="width=device-width"></head>
<body>
<h1>The dashboard is not built yet</h1>
<p>Build it in the checkout, then load this page again:</p>
<pre>node setup/dashboard.mjs</pre>
<p>Until then: <code>./switchyard watch TASK</code> follows a task, and <code>./switchyard status</code> shows the mesh.</p>
</body>
</html>
`;

/** Serves the files of a folder and nothing outside of it; the page itself is never kept by a browser, what it names is. */
export async function serveFile(
  folder: string,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const file = await findFile(folder, path);
  if (file === undefined) {
    const isPage = path === '/' || path === '/index.html';
    if (isPage && (await findFile(folder, '/index.html')) === undefined)
      send(response, 200, types['.html']!, notBuilt);
    else send(response, 404, types['.txt']!, 'there is no such file\n');
    return;
  }
  response.setHeader('Content-Type', types[extname(file.path)]!);
  response.setHeader('Content-Length', file.sizeBytes);
  // The names of what is built hold a digest of it.
  const isLasting = path.startsWith('/assets/');
  response.setHeader('Cache-Control', isLasting ? 'public, max-age=31536000, immutable' : 'no-store');
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const stream = createReadStream(file.path);
  stream.on('error', () => response.destroy());
  stream.pipe(response);
}

export function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.statusCode = status;
  response.setHeader('Content-Type', type);
  response.setHeader('Cache-Control', 'no-store');
  response.end(body);
}

/** A file of the folder, by its real place: neither `..` nor a link leads out. */
async function findFile(
  folder: string,
  path: string,
): Promise<{ path: string; sizeBytes: number } | undefined> {
  let name: string;
  try {
    name = decodeURIComponent(path === '/' ? '/index.html' : path);
  } catch {
    return undefined;
  }
  // A name that a build never gives is not looked for.
  if (!/^(?:\/[\w@~-][\w.@~-]*)+$/.test(name) || types[extname(name)] === undefined) return undefined;
  try {
    const root = await realpath(folder);
    const found = await realpath(join(root, name));
    if (!found.startsWith(root + sep)) return undefined;
    const about = await stat(found);
    return about.isFile() ? { path: found, sizeBytes: about.size } : undefined;
  } catch {
    return undefined;
  }
}
