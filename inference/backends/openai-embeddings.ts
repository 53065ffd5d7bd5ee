import type OpenAI from 'openai';
import { BackendError } from '../backend.ts';
import { estimateTokens } from '../estimate.ts';

/** One vector a text, in order, and the tokens read. Throws what the client throws, and BackendError. */
export async function embedTexts(
  client: OpenAI,
  model: string,
  texts: string[],
  signal: AbortSignal,
): Promise<{ vectors: number[][]; inputTokens: number }> {
  if (texts.length === 0) return { vectors: [], inputTokens: 0 };
  // Past the client's own method: that asks for base64, which not every server gives, and rounds.
  const body = { model, input: texts };
  const answer = await client.post<Partial<OpenAI.CreateEmbeddingResponse>>('/embeddings', { body, signal });
  const data = Array.isArray(answer?.data) ? answer.data : [];
  const vectors = texts.map(
    (_, index) => (data.find((one) => one.index === index) ?? data[index])?.embedding,
  );
  if (data.length !== texts.length || !vectors.every(isVector)) {
    throw new BackendError(
      'permanent',
      `the answer to ${texts.length} texts is not ${texts.length} vectors`,
      {
        mend: `see that ${model} is a model for embeddings`,
      },
    );
  }
  const counted = answer.usage?.prompt_tokens;
  return { vectors, inputTokens: counted ?? texts.reduce((sum, text) => sum + estimateTokens(text), 0) };
}

function isVector(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'number');
}
