import { BackendError, type ModelDefinition } from '../inference/backend.ts';
import type { GgufHeader } from '../inference/backends/gguf.ts';

/** What llama.cpp and Node take beside the model and its cache, measured with small models, rounded up. */
const overheadBytes = 200_000_000;
/** Of a card, what a worker takes by itself; drivers and screens want the rest. */
const ofCard = 0.9;
/** Of other memory, what it takes by itself: everything else on the machine lives there. */
const ofMachine = 0.5;

/** Memory that may still be taken, and whose it is. */
export interface Memory {
  bytes: number;
  of: string;
}

/** The cards that llama.cpp found; it divides a model among several. */
export interface Card {
  names: string[];
  /** Of all together. */
  freeBytes: number;
  /** True where it has no memory of its own but the machine's. */
  isUnified: boolean;
}

/** How a model is laid out before it is loaded. */
export interface Placement {
  slots: number;
  /** As configured; `fit`: as many as the card holds. */
  gpuLayers: number | 'fit';
}

/** What a model will take: its file, and keys and values of every token of every slot. */
function neededBytes(
  header: GgufHeader,
  slots: number,
  contextTokens: number,
): { file: number; cache: number } {
  return { file: header.fileBytes, cache: header.cacheBytesPerToken * contextTokens * slots };
}

type Wanted = Pick<ModelDefinition, 'name' | 'contextTokens' | 'slots' | 'gpuLayers'>;

/**
 * Decides how many replies at a time a model is loaded for where nobody says, and holds what it takes against what is
 * free. Throws a permanent BackendError, with the numbers and what to change, where it does not fit.
 */
export function placeModel(wanted: Wanted, header: GgufHeader, machine: Memory, card?: Card): Placement {
  const slots = wanted.slots ?? standardSlots(wanted, header, machine, card);
  const { onCard, onMachine } = divide(wanted, header, slots, card);
  const needs = (part: Part) => needsText(part, header, slots, wanted.contextTokens);
  if (card && onCard.bytes > card.freeBytes) {
    const holds = Math.max(0, layersFor(card.freeBytes, card, header, slots, wanted.contextTokens));
    throw new BackendError(
      'permanent',
      `${wanted.name} with ${wanted.gpuLayers} of its ${layersOf(header)} layers on the card ${needs(onCard)}, and ${card.names.join(' and ')} has ${megabytes(card.freeBytes)} MB free`,
      { mend: `lower its gpuLayers to ${holds}, or its contextTokens or slots, or leave gpuLayers out` },
    );
  }
  if (onMachine.bytes > machine.bytes)
    throw new BackendError(
      'permanent',
      `${wanted.name} ${needs(onMachine)}, and ${machine.of} has ${megabytes(machine.bytes)} MB free`,
      { mend: 'lower its contextTokens or slots, take a smaller quantisation, or another machine' },
    );
  return { slots, gpuLayers: wanted.gpuLayers ?? (card ? 'fit' : 0) };
}

/** Throws a permanent BackendError where there is no memory for a context in which texts are embedded. */
export function refuseEmbedding(
  name: string,
  header: GgufHeader,
  contextTokens: number,
  machine: Memory,
): void {
  const { cache } = neededBytes(header, 1, contextTokens);
  if (cache + overheadBytes <= machine.bytes) return;
  throw new BackendError(
    'permanent',
    `to embed texts ${name} needs about ${megabytes(cache + overheadBytes)} MB more, and ${machine.of} has ${megabytes(machine.bytes)} MB free`,
    { mend: 'lower its contextTokens or slots, or take another machine' },
  );
}

/** The most that leave all of the model on the card, else the most that there is memory for. */
function standardSlots(wanted: Wanted, header: GgufHeader, machine: Memory, card?: Card): number {
  const choices = [8, 4, 2, 1].map((slots) => ({ slots, ...divide(wanted, header, slots, card) }));
  const fitting = choices.filter(
    ({ onCard, onMachine }) =>
      onCard.bytes <= (card?.freeBytes ?? 0) * ofCard &&
      onMachine.bytes - overheadBytes <= machine.bytes * ofMachine,
  );
  return (fitting.find(({ onCard }) => onCard.share === 1) ?? fitting[0])?.slots ?? 1;
}

/** What of a model and its cache lies somewhere, and what is taken there beside it. */
interface Part {
  share: number;
  besideBytes: number;
  bytes: number;
}

/** A layer takes its part of the file and of the cache along. */
function divide(
  wanted: Wanted,
  header: GgufHeader,
  slots: number,
  card?: Card,
): Record<'onCard' | 'onMachine', Part> {
  const { file, cache } = neededBytes(header, slots, wanted.contextTokens);
  const part = (share: number, besideBytes: number): Part => ({
    share,
    besideBytes,
    bytes: share * (file + cache) + besideBytes,
  });
  const layers =
    card &&
    (wanted.gpuLayers ?? layersFor(card.freeBytes * ofCard, card, header, slots, wanted.contextTokens));
  const share = Math.min(1, Math.max(0, layers ?? 0) / layersOf(header));
  return {
    onCard: card && share > 0 ? part(share, besideOn(card)) : part(0, 0),
    onMachine: part(card?.isUnified ? 1 : 1 - share, overheadBytes),
  };
}

const besideOn = (card: Card): number => overheadBytes * card.names.length;

/** As llama.cpp counts them: what comes behind the last is one too. */
const layersOf = (header: GgufHeader): number => header.layers + 1;

/** Layers that so many bytes of a card hold; below 0 where they do not even hold what is taken beside them. */
function layersFor(
  bytes: number,
  card: Card,
  header: GgufHeader,
  slots: number,
  contextTokens: number,
): number {
  const { file, cache } = neededBytes(header, slots, contextTokens);
  return Math.floor(((bytes - besideOn(card)) / (file + cache)) * layersOf(header));
}

const megabytes = (bytes: number): number => Math.ceil(bytes / 1_000_000);

function needsText(
  { share, besideBytes, bytes }: Part,
  header: GgufHeader,
  slots: number,
  contextTokens: number,
) {
  const { file, cache } = neededBytes(header, slots, contextTokens);
  return (
    `needs about ${megabytes(bytes)} MB (file ${megabytes(share * file)} MB, ` +
    `cache ${megabytes(share * cache)} MB for ${slots} slots of ${contextTokens} tokens, ${megabytes(besideBytes)} MB besides)`
  );
}
