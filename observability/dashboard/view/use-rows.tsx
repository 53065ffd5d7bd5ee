import { defaultRangeExtractor, useVirtualizer, type Virtualizer } from '@tanstack/react-virtual';
import { useCallback, useEffect, useRef, useState, type KeyboardEvent, type RefObject } from 'react';

export interface Rows {
  scroller: RefObject<HTMLDivElement | null>;
  virtualizer: Virtualizer<HTMLDivElement, Element>;
  /** The row that the keyboard is on. */
  active: number;
  setActive(index: number): void;
  onKeyDown(event: KeyboardEvent): void;
}

interface RowOptions {
  count: number;
  rowHeight: number;
  start?: number;
  onEnter(index: number): void;
  /** Other keys; true where it was one of theirs. */
  onKey?(key: string, index: number): boolean;
}

/** Rows of one height, of which only those in sight are drawn, and one of which the keyboard is on. */
export function useRows({ count, rowHeight, start = 0, onEnter, onKey }: RowOptions): Rows {
  const scroller = useRef<HTMLDivElement>(null);
  const [wanted, setWanted] = useState(start);
  const active = Math.max(0, Math.min(wanted, count - 1));
  const virtualizer = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 4,
    // The row above the one that it begins with is seen too.
    initialOffset: Math.max(0, start - 1) * rowHeight,
    // The row that the keyboard is on stays, however far it is scrolled away: it is what a screen reader reads.
    rangeExtractor: useCallback(
      (range: Parameters<typeof defaultRangeExtractor>[0]) => {
        const places = defaultRangeExtractor(range);
        if (count > 0 && !places.includes(active)) places.push(active);
        return places.sort((one, other) => one - other);
      },
      [active, count],
    ),
  });
  useEffect(() => {
    virtualizer.measure();
  }, [rowHeight, virtualizer]);

  const setActive = useCallback(
    (index: number) => {
      const place = Math.max(0, Math.min(index, count - 1));
      setWanted(place);
      virtualizer.scrollToIndex(place, { align: 'auto' });
    },
    [count, virtualizer],
  );

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target !== event.currentTarget) return;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 400) / rowHeight) - 1);
    const moves: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: count - 1,
    };
    const move = moves[event.key];
    if (move !== undefined) setActive(move);
    else if (event.key === 'Enter' || event.key === ' ') onEnter(active);
    else if (!onKey?.(event.key, active)) return;
    event.preventDefault();
  };
  return { scroller, virtualizer, active, setActive, onKeyDown };
}
