import { useEffect, useState } from 'react';

/** How long the last second's frames took, for who wants to know. */
export function FrameMeter() {
  const [text, setText] = useState('measuring');
  useEffect(() => {
    let frame = 0;
    let before = performance.now();
    let times: number[] = [];
    let shownAt = before;
    const tick = (now: number) => {
      times.push(now - before);
      before = now;
      if (now - shownAt > 1000) {
        const worst = Math.max(...times);
        setText(`${times.length} frames a second, the longest ${worst.toFixed(0)} ms`);
        times = [];
        shownAt = now;
      }
      frame = requestAnimationFrame(tick);
    };
    frame = requestAnimationFrame(tick);
    return () => cancelAnimationFrame(frame);
  }, []);
  return <output className="panel mono fixed bottom-2 left-2 z-40 px-2 py-1">{text}</output>;
}
