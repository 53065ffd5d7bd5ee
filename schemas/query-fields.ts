import Type from 'typebox';

/** How many of something. */
export const count = (description: string) => Type.Integer({ minimum: 0, description });

/** A moment; `description` says which. */
export const atMs = (description: string) =>
  Type.Integer({ minimum: 0, description: `${description}, milliseconds since 1970 UTC` });
