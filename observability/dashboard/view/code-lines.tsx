import { Fragment, useMemo } from 'react';
import { coloursOf } from '../model/code.ts';
import { piecesOf } from '../model/diff.ts';

/** Text with the colours of its language; `file`: a name with its ending. */
export function CodeLines({ text, file }: { text: string; file: string }) {
  const lines = useMemo(() => {
    const texts = text.split('\n');
    const colours = coloursOf(texts, file);
    return texts.map((one, index) => piecesOf({ kind: 'same', text: one, colours: colours[index]! }));
  }, [text, file]);
  return lines.map((pieces, index) => (
    <Fragment key={index}>
      {index > 0 ? '\n' : ''}
      {pieces.map((piece, place) =>
        piece.colour ? (
          <span key={place} className={`code-${piece.colour}`}>
            {piece.text}
          </span>
        ) : (
          piece.text
        ),
      )}
    </Fragment>
  ));
}
