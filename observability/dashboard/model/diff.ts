/** One line of a unified diff. `number`: in the file after the change, or before it for what is taken away. */
export interface DiffLine {
  kind: 'file' | 'hunk' | 'same' | 'added' | 'removed' | 'note';
  text: string;
  number?: number;
  /** The part that differs from the line it replaces: from, to. */
  changed?: [number, number];
}

/** A unified diff, line by line, with what differs within replaced lines. */
export function diffLines(diff: string): DiffLine[] {
  const lines: DiffLine[] = [];
  let before = 0;
  let after = 0;
  let isInHunk = false;
  for (const text of diff.replace(/\n$/, '').split('\n')) {
    const hunk = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(text);
    if (hunk) {
      before = Number(hunk[1]);
      after = Number(hunk[2]);
      isInHunk = true;
      lines.push({ kind: 'hunk', text });
    } else if (text.startsWith('diff ')) {
      isInHunk = false;
      lines.push({ kind: 'file', text: / b\/(.+)$/.exec(text)?.[1] ?? text });
    } else if (!isInHunk) {
      // The lines between a file's name and its first hunk repeat that name; a new or deleted file is worth a note.
      if (/^(new|deleted|rename|similarity|Binary)/.test(text)) lines.push({ kind: 'note', text });
      else if (lines.length === 0 || !/^(index|---|\+\+\+|old mode)/.test(text))
        lines.push({ kind: 'note', text });
    } else if (text.startsWith('+')) lines.push({ kind: 'added', text: text.slice(1), number: after++ });
    else if (text.startsWith('-')) lines.push({ kind: 'removed', text: text.slice(1), number: before++ });
    else if (text.startsWith(' ')) {
      lines.push({ kind: 'same', text: text.slice(1), number: after++ });
      before += 1;
    } else lines.push({ kind: 'note', text });
  }
  return withChanges(lines);
}

/** Pairs the nth line taken away with the nth line added of one block. */
function withChanges(lines: DiffLine[]): DiffLine[] {
  const marked = [...lines];
  for (let start = 0; start < lines.length; start += 1) {
    if (lines[start]!.kind !== 'removed') continue;
    let middle = start;
    while (lines[middle]?.kind === 'removed') middle += 1;
    let end = middle;
    while (lines[end]?.kind === 'added') end += 1;
    const pairs = Math.min(middle - start, end - middle);
    for (let index = 0; index < pairs; index += 1) {
      const [removed, added] = [lines[start + index]!, lines[middle + index]!];
      const parts = changedParts(removed.text, added.text);
      if (!parts) continue;
      marked[start + index] = { ...removed, changed: parts[0] };
      marked[middle + index] = { ...added, changed: parts[1] };
    }
    start = Math.max(start, end - 1);
  }
  return marked;
}

/** The ranges in which two lines differ; undefined where they have too little in common to be one line changed. */
function changedParts(one: string, other: string): [[number, number], [number, number]] | undefined {
  const shorter = Math.min(one.length, other.length);
  let head = 0;
  while (head < shorter && one[head] === other[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && one[one.length - 1 - tail] === other[other.length - 1 - tail]) tail += 1;
  if (one.slice(0, head).trim().length + tail < shorter * 0.3) return undefined;
  return [
    [head, one.length - tail],
    [head, other.length - tail],
  ];
}
