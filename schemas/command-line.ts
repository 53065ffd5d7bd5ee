const alwaysSpecial = new Set('|&;<>()$`*?[]\\\n\r');
const specialAtWordStart = new Set('#~!');

/**
 * Splits a command as a person types it (`npm test`, `node --test "a b.test.js"`) into its arguments.
 * Single and double quotes group; inside double quotes `\"` and `\\` stand for the character itself.
 * No shell ever sees the command, so whatever a shell would act on is refused rather than passed on as text.
 *
 * @throws Error naming the character and how to write the command instead.
 */
export function parseCommandLine(text: string): string[] {
  const words: string[] = [];
  let word = '';
  let insideWord = false;
  let wordHasQuotes = false;

  const endWord = (): void => {
    if (!insideWord) return;
    refuseWord(word, wordHasQuotes, words.length, text);
    words.push(word);
    [word, insideWord, wordHasQuotes] = ['', false, false];
  };

  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]!;
    if (character === '\0') throw new Error('A command cannot hold the character NUL.');
    if (character === ' ' || character === '\t') {
      endWord();
    } else if (character === "'" || character === '"') {
      const quoted = readQuoted(text, at);
      word += quoted.content;
      at = quoted.end;
      insideWord = wordHasQuotes = true;
    } else {
      if (alwaysSpecial.has(character)) refuse(character, text);
      if (!insideWord && specialAtWordStart.has(character)) refuse(character, text);
      word += character;
      insideWord = true;
    }
  }
  endWord();
  if (words.length === 0)
    throw new Error('The command is empty. Write a program and its arguments, e.g. npm test');
  return words;
}

function readQuoted(text: string, start: number): { content: string; end: number } {
  const quote = text[start]!;
  let content = '';
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text[at]!;
    if (character === quote) return { content, end: at };
    if (character === '\0') throw new Error('A command cannot hold the character NUL.');
    if (quote === '"') {
      if (character === '$' || character === '`') refuse(character, text);
      const next = text[at + 1];
      if (character === '\\' && (next === '"' || next === '\\')) {
        content += next;
        at += 1;
        continue;
      }
    }
    content += character;
  }
  throw new Error(`The quote ${quote} in the command ${JSON.stringify(text)} is not closed.`);
}

/** What means something only as a whole word: `NAME=value` before the program, `{a,b}` and `{1..3}`. */
function refuseWord(word: string, hasQuotes: boolean, position: number, text: string): void {
  if (hasQuotes) return;
  if (position === 0 && /^[A-Za-z_]\w*=/.test(word)) refuse('=', text);
  if (/\{[^{}]*(,|\.\.)[^{}]*\}/.test(word) || word === '{' || word === '}') refuse('{', text);
  if (position === 0 && word.startsWith('%')) refuse('%', text);
}

function refuse(character: string, text: string): never {
  const shown = character === '\n' || character === '\r' ? 'a line break' : character;
  throw new Error(
    `The command ${JSON.stringify(text)} holds ${shown}, which only a shell would understand, and no shell is used. ` +
      `Put it in single quotes if it is meant literally, or call a script that does what you want, e.g. npm run NAME`,
  );
}

/** A word as a person types it for a shell that is to take it as it stands. */
export function quoteWord(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
