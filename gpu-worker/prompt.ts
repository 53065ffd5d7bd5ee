import { Template } from '@huggingface/jinja';
import {
  BackendError,
  type ModelMessage,
  type ModelRequest,
  type ToolDescription,
} from '../inference/backend.ts';
import { argumentsText } from '../inference/estimate.ts';
import { closeMark, openMark } from './tool-calls.ts';

/** A piece of a prompt. Marks of the template count as such; in what people and tools said they are plain text. */
export interface PromptPiece {
  text: string;
  isTemplate: boolean;
}

/** How a model's prompts are written. */
export interface PromptFormat {
  template: string;
  /** The beginning-of-text and end-of-text marks, for templates that write them. */
  bos: string;
  eos: string;
  /** A text that ends a reply, where no token does. */
  stop?: string;
}

const chatMl =
  '{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';
const plainHeading = '\n### ';
const plain =
  '{% for message in messages %}### {{ message.role }}:\n{{ message.content }}\n\n{% endfor %}{% if add_generation_prompt %}### assistant:\n{% endif %}';

/** The template of the file; where it has none, ChatML if the model knows its marks, else headings in plain text. */
export function formatOf(given: {
  template: string | undefined;
  knowsChatMl: boolean;
  bos: string | null;
  eos: string | null;
}): PromptFormat {
  const marks = { bos: given.bos ?? '', eos: given.eos ?? '' };
  if (given.template !== undefined) return { ...marks, template: given.template };
  if (given.knowsChatMl) return { ...marks, template: chatMl };
  return { ...marks, template: plain, stop: plainHeading };
}

/**
 * The prompt of a request. Templates that know tools in the form which we read back are given them; for the others the
 * tools are described in the system message, and results come as the user's. Throws a permanent BackendError where the
 * template cannot be followed.
 */
export function promptOf(format: PromptFormat, request: ModelRequest): PromptPiece[] {
  const knowsTools =
    /\btools\b/.test(format.template) &&
    format.template.includes(openMark) &&
    !format.template.includes('<function=');
  const held = openHeld();
  const messages = knowsTools
    ? request.messages.map((message) => turnOf(message, held))
    : toldTurns(request.messages, request.tools, held);
  const tools = knowsTools && request.tools.length > 0 ? request.tools.map(toolOf) : undefined;
  try {
    return held.piecesOf(render(format, { messages, tools }));
  } catch (error) {
    try {
      // Some templates know no system message, and some want turns to alternate.
      return held.piecesOf(render(format, { messages: withoutSystem(messages), tools }));
    } catch {
      throw new BackendError(
        'permanent',
        `the model's chat template cannot be followed: ${error instanceof Error ? error.message : String(error)}`,
        { mend: 'use a GGUF file with another template' },
      );
    }
  }
}

interface Turn {
  role: string;
  content: string;
}

function render(format: PromptFormat, values: { messages: Turn[]; tools: unknown }): string {
  return templateOf(format.template).render({
    ...values,
    add_generation_prompt: true,
    bos_token: format.bos,
    eos_token: format.eos,
  });
}

/** Parsed once: a process has one model, and each call would wait a millisecond for it. */
const parsed = new Map<string, Template>();

/** Throws where the text is no template. */
function templateOf(text: string): Template {
  const known = parsed.get(text);
  if (known) return known;
  const template = new Template(text);
  parsed.set(text, template);
  return template;
}

const toolOf = (tool: ToolDescription) => ({
  type: 'function',
  function: { name: tool.name, description: tool.description, parameters: tool.arguments },
});

type Held = ReturnType<typeof openHeld>;

/** Keeps what was said out of the template's hands: it sees a stand-in a text, which is replaced afterwards. */
function openHeld() {
  const texts: PromptPiece[][] = [];
  const standIn = (place: number) => `\u2983held ${place}\u2984`;
  return {
    hold(pieces: PromptPiece[]): string {
      texts.push(pieces);
      return standIn(texts.length - 1);
    },
    piecesOf(rendered: string): PromptPiece[] {
      const pieces: PromptPiece[] = [];
      let at = 0;
      for (const match of rendered.matchAll(/\u2983held (\d+)\u2984/g)) {
        const held = texts[Number(match[1])];
        if (!held) continue;
        pieces.push({ text: rendered.slice(at, match.index), isTemplate: true }, ...held);
        at = match.index + match[0].length;
      }
      pieces.push({ text: rendered.slice(at), isTemplate: true });
      return pieces.filter((piece) => piece.text !== '');
    },
  };
}

const said = (text: string): PromptPiece => ({ text, isTemplate: false });
const mark = (text: string): PromptPiece => ({ text, isTemplate: true });

/** What a model wrote, in the form in which it writes. */
function writtenBy(message: Extract<ModelMessage, { role: 'assistant' }>): PromptPiece[] {
  const calls = message.toolCalls.flatMap((call) => [
    mark(`\n${openMark}\n`),
    said(`{"name": ${JSON.stringify(call.name)}, "arguments": ${argumentsText(call)}}`),
    mark(`\n${closeMark}`),
  ]);
  return [said(message.content), ...calls];
}

function turnOf(message: ModelMessage, held: Held): Turn {
  return {
    role: message.role,
    content: held.hold(message.role === 'assistant' ? writtenBy(message) : [said(message.content)]),
  };
}

/** Turns for a template that knows no tools: told in words, results as the user's, and one turn a side at a time. */
function toldTurns(messages: ModelMessage[], tools: ToolDescription[], held: Held): Turn[] {
  const turns: { role: string; pieces: PromptPiece[] }[] = [];
  const add = (role: string, pieces: PromptPiece[]) => {
    const last = turns.at(-1);
    if (last?.role === role) last.pieces.push(said('\n\n'), ...pieces);
    else turns.push({ role, pieces });
  };
  if (tools.length > 0 && messages[0]?.role !== 'system') add('system', [said(toolsInWords(tools))]);
  messages.forEach((message, place) => {
    if (message.role === 'assistant') add('assistant', writtenBy(message));
    else if (message.role === 'tool')
      add('user', [said(`<tool_response>\n${message.content}\n</tool_response>`)]);
    else add(message.role, [said(message.content)]);
    if (tools.length > 0 && place === 0 && message.role === 'system')
      add('system', [said(toolsInWords(tools))]);
  });
  return turns.map(({ role, pieces }) => ({ role, content: held.hold(pieces) }));
}

function toolsInWords(tools: ToolDescription[]): string {
  return [
    'You may call these tools, one JSON object a line:',
    ...tools.map((tool) => JSON.stringify(toolOf(tool).function)),
    `To call one, write exactly this, once a call, and then stop:\n${openMark}\n{"name": NAME, "arguments": ARGUMENTS}\n${closeMark}`,
  ].join('\n');
}

/** The system's words at the head of the user's first. */
function withoutSystem(turns: Turn[]): Turn[] {
  const system = turns.filter((turn) => turn.role === 'system').map((turn) => turn.content);
  const others = turns.filter((turn) => turn.role !== 'system');
  const [first, ...rest] = others;
  if (!first) return [{ role: 'user', content: system.join('\n\n') }];
  if (first.role !== 'user') return [{ role: 'user', content: system.join('\n\n') }, ...others];
  return [{ role: 'user', content: [...system, first.content].join('\n\n') }, ...rest];
}
