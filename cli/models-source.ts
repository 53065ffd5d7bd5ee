import { basename } from 'node:path';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';

/** A file to fetch, or one part of a split one. */
export interface Source {
  url: string;
  /** What it is called here. */
  name: string;
}

/**
 * Where `URL` or `hf:OWNER/REPO/FILE.gguf` lies; of a model that is split into parts, all of them. An owner's file may
 * lie in folders of the repository. Throws CommandError with the accepted forms.
 */
export function sourcesOf(given: string, environment: Record<string, string | undefined>): Source[] {
  const url = given.startsWith('hf:') ? onHub(given.slice('hf:'.length), environment) : given;
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw refuse(given, 'is none of the forms');
  const parsed = new URL(url);
  if (parsed.username || parsed.password)
    throw refuse('this address', 'holds a password, which would be seen by others');
  const name = decodeURIComponent(basename(parsed.pathname));
  if (!/^[\w.+-]+\.gguf$/i.test(name)) throw refuse(given, 'names no file that ends with .gguf');
  return partsOf(name).map((part) => {
    const ofPart = new URL(url);
    ofPart.pathname = `${parsed.pathname.slice(0, -basename(parsed.pathname).length)}${part}`;
    return { url: ofPart.href, name: part };
  });
}

function onHub(path: string, environment: Record<string, string | undefined>): string {
  const [owner, repository, ...file] = path.split('/');
  if (!owner || !repository || file.length === 0 || path.includes('..'))
    throw refuse(`hf:${path}`, 'names no file');
  const hub = (environment['HF_ENDPOINT']?.trim() || 'https://huggingface.co').replace(/\/+$/, '');
  // Not shown: it may hold a password.
  if (!/^https?:\/\/[^@?#]+$/.test(hub) || !URL.canParse(hub))
    throw new CommandError(
      'HF_ENDPOINT: this value is no address of a hub',
      'give an http:// or https:// address without a password in it, such as https://huggingface.co, or leave the variable out',
      exitCodes.usage,
    );
  return `${hub}/${owner}/${repository}/resolve/main/${file.map(encodeURIComponent).join('/')}`;
}

/** `m-00001-of-00003.gguf` is the first of three. */
function partsOf(name: string): string[] {
  const split = /^(.*-)(\d{5})-of-(\d{5})(\.gguf)$/i.exec(name);
  if (!split) return [name];
  const count = Math.min(Number(split[3]), 999);
  return Array.from({ length: count }, (_, place) => {
    return `${split[1]}${String(place + 1).padStart(5, '0')}-of-${split[3]}${split[4]}`;
  });
}

function refuse(what: string, why: string): CommandError {
  return new CommandError(
    `${what} ${why}`,
    'give hf:OWNER/REPO/FILE.gguf or https://HOST/PATH/FILE.gguf',
    exitCodes.usage,
  );
}
