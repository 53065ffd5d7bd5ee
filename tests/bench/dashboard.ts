import type { Page } from 'playwright-core';
import recorded from '../../observability/dashboard/demo/recording.gen.json' with { type: 'json' };
import { extend, noRecord } from '../../observability/dashboard/model/task-record.ts';
import type { Recording } from '../../observability/dashboard/source/demo.ts';
import { generate } from '../../observability/dashboard/source/generated.ts';
import { isMissing, launchBrowser } from '../browser/launch.ts';
import { buildPage, servePage } from '../browser/page-server.ts';

/**
 * How long the page's frames take with a task of 5,000 steps and a list of 5,000 tasks, in a real Chromium without a
 * graphics card: `node tests/bench/dashboard.ts [steps]`.
 */
const steps = Number(process.argv[2] ?? 5000);
const runMs = 4000;

/** Moves the pointer over the slider, there and back. */
const scrub = `(one, now) => {
  const box = one.getBoundingClientRect();
  const part = Math.abs(((now / 2000) % 2) - 1);
  const at = { clientX: box.left + part * box.width, clientY: box.top + 5, buttons: 1, bubbles: true, pointerId: 1 };
  one.dispatchEvent(new PointerEvent('pointermove', at));
}`;

append();
buildPage();
const [browser, served] = await Promise.all([launchBrowser(), servePage()]);
if (isMissing(browser)) {
  console.error(browser.missing);
  process.exit(1);
}
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
const page = await context.newPage();

const beganAtMs = Date.now();
await page.goto(`${served.url}#demo=${steps}`);
const list = page.getByRole('grid', { name: 'Tasks' });
await list.waitFor();
console.log(`list of ${steps} tasks shown after ${Date.now() - beganAtMs} ms`);
report('scroll the tasks', await framesWhile(page, '[role=grid]', scrollBy(400)));

await page.getByLabel('Text in goal').fill(`of ${steps} steps`);
await page.getByText(/^1 of/).waitFor();
const openedAtMs = Date.now();
await list.focus();
await page.keyboard.press('Enter');
const tree = page.getByRole('treegrid');
await tree.waitFor();
console.log(
  `task of ${await tree.getAttribute('aria-rowcount')} rows shown after ${Date.now() - openedAtMs} ms`,
);
report('scroll the steps', await framesWhile(page, '[role=treegrid]', scrollBy(600)));
await page.evaluate(`(() => {
  globalThis.redrawn = 0;
  const seen = () => { globalThis.redrawn += 1; };
  new MutationObserver(seen).observe(document.querySelector('[role=treegrid]'), { attributeFilter: ['aria-rowcount'] });
})()`);
report('scrub by the pointer', await framesWhile(page, '[role=slider]', scrub));
const redrawn = Number(await page.evaluate('globalThis.redrawn'));
console.log(`  meanwhile the bars followed ${((redrawn * 1000) / runMs).toFixed(0)} times a second`);
await page.getByLabel('Speed').selectOption('16');
await page.getByRole('slider').press('Home');
await page.getByRole('button', { name: 'Play' }).click();
report('play at 16 times the speed', await framesWhile(page, '[role=slider]', 'one => {}'));
await browser.close();
await served.stop();

/** A task that is followed while it goes on: what one more event costs, without the drawing. */
function append(): void {
  const made = generate((recorded as unknown as Recording).events, steps);
  const more = 400;
  let record = extend(noRecord(made.taskId), made.events.slice(0, -more));
  const times = made.events.slice(-more).map((event) => {
    const beganAtMs = performance.now();
    record = extend(record, [event]);
    return performance.now() - beganAtMs;
  });
  const sorted = times.toSorted((one, other) => one - other);
  const at = (part: number) => sorted[Math.floor(part * (more - 1))]!.toFixed(1);
  console.log(
    `append while following: one more event to ${record.events.length}: half below ${at(0.5)} ms, 95 % below ${at(0.95)} ms, longest ${at(1)} ms`,
  );
}

/** Scrolls by so many pixels a frame. */
function scrollBy(pixels: number): string {
  return `one => { one.scrollTop = (one.scrollTop + ${pixels}) % (one.scrollHeight - one.clientHeight) }`;
}

/** Does something to an element each frame and resolves with how long each frame took, in milliseconds. */
function framesWhile(on: Page, selector: string, act: string): Promise<number[]> {
  return on.evaluate(
    `new Promise((resolve) => {
      const one = document.querySelector(${JSON.stringify(selector)});
      const act = ${act};
      const times = [];
      const from = performance.now();
      let before = from;
      const tick = (now) => {
        times.push(now - before);
        before = now;
        act(one, now);
        if (now - from < ${runMs}) requestAnimationFrame(tick);
        else resolve(times.slice(2));
      };
      requestAnimationFrame(tick);
    })`,
  );
}

function report(what: string, times: number[]): void {
  const sorted = times.toSorted((one, other) => one - other);
  const at = (part: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!.toFixed(1);
  const perSecond = (times.length / (times.reduce((sum, one) => sum + one, 0) / 1000)).toFixed(0);
  const long = times.filter((one) => one > 50).length;
  console.log(
    `${what}: ${perSecond} frames a second; half below ${at(0.5)} ms, 95 % below ${at(0.95)} ms, longest ${at(1)} ms; ${long} of ${times.length} over 50 ms`,
  );
}
