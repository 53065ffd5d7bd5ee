import { bytesAndLetters, tokens, type Piece } from './tiny-model-tokens.ts';

/** What a model with crafted weights says to whatever it is asked. */
export interface SetReply {
  text: string;
  /** Characters of a token, or more where the same text is a token already; 7 by default. */
  pieceCharacters?: number;
  /** Tokens without text, behind those of the reply. */
  quietTokens?: number;
  /** Tokens without text at the head of each prompt. */
  paddingTokens?: number;
  /** It begins again where it has ended. */
  isEndless?: boolean;
}

/** What it would rather say first where no tools are offered; a schema's grammar keeps it from that. */
export const lure = 'Sure!';
const quiet = (place: number) => `<|quiet ${place}|>`;

/** A vocabulary, and which token follows which: of two that follow the same one the stronger. */
export interface Chain {
  vocabulary: Piece[];
  follows: { after: number; next: number; strength: number }[];
}

/**
 * A chain of tokens, each but once, so that the last one alone says which is next. Characters of the prompt are a token
 * each, as long as no token of the reply has just two.
 */
export function chainOf(reply: SetReply): Chain {
  const vocabulary = bytesAndLetters();
  const numbers = new Map(vocabulary.map((piece, place) => [piece.text, place]));
  const add = (text: string, type: number): number => {
    const known = numbers.get(text);
    if (known !== undefined) return known;
    numbers.set(text, vocabulary.length);
    vocabulary.push({ text, score: -vocabulary.length, type });
    return vocabulary.length - 1;
  };
  const spoken = split(reply.text, reply.pieceCharacters ?? 7).map((text) => add(spaced(text), 1));
  const silent = Array.from({ length: reply.quietTokens ?? 0 }, (_, place) => add(quiet(place + 1), 3));
  const said = [...spoken, ...silent];
  const first = said[0]!;
  const end = reply.isEndless === true ? first : tokens['<|end|>'];
  const sure = add(lure, 1);
  add(quiet(0), 3);
  return {
    vocabulary,
    follows: [
      { after: tokens['<|act|>']!, next: first, strength: 1 },
      { after: tokens['<|answer|>']!, next: first, strength: 1 },
      { after: tokens['<|answer|>']!, next: sure, strength: 2 },
      { after: sure, next: tokens['<|end|>'], strength: 1 },
      ...said.map((after, place) => ({ after, next: said[place + 1] ?? end, strength: 1 })),
    ],
  };
}

/** Tools are not described, so that the length of a prompt is that of its messages; it is told where they are offered. */
export const replyTemplate = (reply: SetReply): string =>
  [
    quiet(0).repeat(reply.paddingTokens ?? 0),
    '{# <tool_call> #}{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}',
    '<|assistant|>{% if tools %}<|act|>{% else %}<|answer|>{% endif %}',
  ].join('');

const spaced = (text: string): string => text.replaceAll(' ', '\u2581');

/** Pieces of which none is there twice; the mark of a call stands alone where it is the first. */
function split(text: string, pieceCharacters: number): string[] {
  const mark = '<tool_call>';
  const [before, ...calls] = text.split(mark);
  const used = new Set([mark]);
  const pieces = splitPart(before!, pieceCharacters, used);
  if (calls.length > 0) pieces.push(mark, ...splitPart(calls.join(mark), pieceCharacters, used));
  return pieces;
}

function splitPart(text: string, pieceCharacters: number, used: Set<string>): string[] {
  const pieces: string[] = [];
  let piece = '';
  let characters = 0;
  for (const character of text) {
    piece += character;
    characters += 1;
    if (characters < pieceCharacters || used.has(piece)) continue;
    used.add(piece);
    pieces.push(piece);
    piece = '';
    characters = 0;
  }
  // What is left may be one of them: it goes with the one before.
  if (piece === '') return pieces;
  const last = used.has(piece) ? (pieces.pop() ?? '') : '';
  if (last !== '' && used.has(last + piece)) throw new Error(`no chain says ${text}`);
  used.add(last + piece);
  return [...pieces, last + piece];
}
