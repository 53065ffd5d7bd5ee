import { lazy, Suspense, type ComponentType, type ReactNode, type Ref } from 'react';

// What reads code comes when the first is shown; until then, and where it cannot be had, code is plain.
const DiffLines = lazy(() =>
  import('./diff-lines.tsx').then(
    (loaded) => ({ default: loaded.DiffLines }),
    () => ({ default: PlainDiff }),
  ),
);
const CodeLines = lazy<ComponentType<{ text: string; file: string }>>(() =>
  import('./code-lines.tsx').then(
    (loaded) => ({ default: loaded.CodeLines }),
    () => ({ default: ({ text }) => text }),
  ),
);

/** A unified diff, line by line. */
export function DiffView({ diff }: { diff: string }) {
  return (
    <Suspense fallback={<PlainDiff diff={diff} />}>
      <DiffLines diff={diff} />
    </Suspense>
  );
}

/** Code within a `pre`; `file`: a name with its ending. */
export function Code({ text, file }: { text: string; file: string }) {
  return (
    <Suspense fallback={text}>
      <CodeLines text={text} file={file} />
    </Suspense>
  );
}

const PlainDiff = ({ diff }: { diff: string }) => (
  <DiffBox>
    <pre className="m-0">{diff}</pre>
  </DiffBox>
);

/** What a diff stands in, and is scrolled in. */
export function DiffBox({ children, scroller }: { children: ReactNode; scroller?: Ref<HTMLDivElement> }) {
  return (
    <div
      ref={scroller}
      className="mono max-h-[32rem] overflow-auto rounded-sm bg-ground p-2.5 leading-5"
      tabIndex={0}
      role="group"
      aria-label="Change, line by line"
    >
      {children}
    </div>
  );
}
