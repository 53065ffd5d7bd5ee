/** Slots as places on a siding, the taken ones filled; the words say the same. */
export function Slots({ busy, all }: { busy: number; all: number }) {
  const shown = Math.min(all, 8);
  return (
    <span className="my-1 flex items-center gap-2">
      <span className="flex gap-0.5" aria-hidden="true">
        {Array.from({ length: shown }, (_, index) => (
          <span
            key={index}
            className={`h-3 w-2 rounded-[1px] border border-rail ${index < (busy * shown) / Math.max(1, all) ? 'bg-lamp' : ''}`}
          />
        ))}
      </span>
      <span className="whitespace-nowrap">
        {busy}/{all} busy
      </span>
    </span>
  );
}
