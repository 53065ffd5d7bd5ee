interface ChartProps {
  /** What it is of: the name that a screen reader says. */
  name: string;
  points: readonly number[];
  /** The newest value in words. */
  text: string;
  /** The top of the chart; left out: the greatest value. */
  most?: number;
  className?: string;
}

/** The last minutes as a line. Its newest value stands beside it in words. */
export function Chart({ name, points, text, most, className = 'h-7 w-28' }: ChartProps) {
  const top = Math.max(most ?? 0, ...points, 1e-9);
  const step = 100 / Math.max(1, points.length - 1);
  const line = points.map(
    (value, index) =>
      `${index === 0 ? 'M' : 'L'}${(index * step).toFixed(1)} ${(29 - (value / top) * 27).toFixed(1)}`,
  );
  return (
    <span className="flex items-center gap-2">
      <svg
        viewBox="0 0 100 30"
        preserveAspectRatio="none"
        className={className}
        role="img"
        aria-label={`${name} over the last minutes, now ${text}`}
        fill="none"
      >
        <path d="M0 29.5H100" stroke="var(--rail)" vectorEffect="non-scaling-stroke" />
        {points.length > 1 ? (
          <>
            <path d={`${line.join('')}L100 30L0 30Z`} fill="var(--lamp-wash)" />
            <path
              d={line.join('')}
              stroke="var(--lamp)"
              strokeWidth="1.5"
              vectorEffect="non-scaling-stroke"
            />
          </>
        ) : null}
      </svg>
      <span className="whitespace-nowrap">{text}</span>
    </span>
  );
}
