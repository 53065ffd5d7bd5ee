/** A token as GGUF describes it; types: 1 plain, 2 unknown, 3 control, 4 given by the user, 6 byte. */
export interface Piece {
  text: string;
  score: number;
  type: number;
}

const controls = [
  '<s>',
  '<|system|>',
  '<|user|>',
  '<|assistant|>',
  '<|tool|>',
  '<|end|>',
  '<|act|>',
  '<|answer|>',
];
const marks = ['<tool_call>', '</tool_call>'];
const letters = Array.from({ length: 95 }, (_, place) => String.fromCodePoint(32 + place)).filter(
  (letter) => letter !== ' ',
);
const words = ['\u2581the', '\u2581a', 'th', 'in', 'er', 'ing', '{"', '":', '",', '"}', 'true', 'false'];

const special: Piece[] = [
  { text: '<unk>', score: 0, type: 2 },
  ...controls.map((text) => ({ text, score: 0, type: 3 })),
  ...marks.map((text) => ({ text, score: 0, type: 4 })),
];

/** The numbers of the tokens that templates and tests name. */
export const tokens: Record<string, number> & { '<unk>': number; '<s>': number; '<|end|>': number } =
  Object.assign(
    { '<unk>': 0, '<s>': 1, '<|end|>': 6 },
    Object.fromEntries(special.map((piece, place) => [piece.text, place])),
  );

/** Marks, all bytes, and letters: with these a text has a token a character. */
export function bytesAndLetters(): Piece[] {
  return [
    ...special,
    ...Array.from({ length: 256 }, (_, byte) => ({
      text: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
      score: 0,
      type: 6,
    })),
    ...[...letters, '\u2581'].map((text, place) => ({ text, score: -place - 1, type: 1 })),
  ];
}

/** A vocabulary of the size asked for: marks, all bytes, letters, some words, and made-up words for the rest. */
export function pieces(count: number): Piece[] {
  const all = [
    ...bytesAndLetters(),
    ...words.map((text, place) => ({ text, score: -letters.length - place - 2, type: 1 })),
  ];
  const known = new Set(all.map((piece) => piece.text));
  for (let made = 0; all.length < count; made++) {
    const text = `${made % 3 === 0 ? '\u2581' : ''}${letterWord(made)}`;
    if (!known.has(text)) all.push({ text, score: -all.length, type: 1 });
  }
  if (all.length > count) throw new Error(`a vocabulary has at least ${all.length} tokens`);
  return all;
}

/** A word of its own for each number. */
function letterWord(number: number): string {
  let text = '';
  for (let left = number + 26; left > 0; left = Math.floor(left / 26))
    text += String.fromCodePoint(97 + (left % 26));
  return text;
}
