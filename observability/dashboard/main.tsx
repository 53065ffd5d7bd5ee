import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { askSession } from './source/session.ts';
import { demoAsked, playRecording } from './source/demo.ts';
import type { Source } from './source/source.ts';
import { openStore } from './store.ts';
import { App } from './view/app.tsx';
import './styles.css';

const store = openStore((work) => void requestAnimationFrame(work));
const token = /^#token=(.+)$/.exec(location.hash)?.[1];
const demo = token ? undefined : demoAsked(location.hash, location.search);
// The link's credential is spent once and is not left in the address.
if (token) history.replaceState(null, '', location.pathname);
if (demo && /^#\/?demo/.test(location.hash))
  history.replaceState(null, '', `${location.pathname}${demo.search}`);
// A new link, or the demo, that is opened where this page already is changes the address alone.
addEventListener('hashchange', () => {
  if (/^#(token=|demo)/.test(location.hash)) location.reload();
});

async function open(): Promise<{ source: Source; taskId?: string }> {
  if (demo) return playRecording(store, demo.steps, (work) => void setTimeout(work, 0));
  const { followMesh } = await import('./source/live.ts');
  let unspent = token;
  const source = followMesh({
    store,
    now: () => Date.now(),
    isSeen: () => document.visibilityState === 'visible',
    async session(signal) {
      const session = await askSession(unspent && decodeURIComponent(unspent), signal);
      unspent = undefined;
      return session;
    },
  });
  return { source };
}

void open().then(({ source, taskId }) => {
  createRoot(document.getElementById('page')!).render(
    <StrictMode>
      <App store={store} source={source} demoTaskId={taskId} isGenerated={(demo?.steps ?? 0) > 0} />
    </StrictMode>,
  );
});
