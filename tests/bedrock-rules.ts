/** A request of Converse as it came over the wire, the parts that a test looks at. */
export interface ConverseBody {
  messages?: { role: 'user' | 'assistant'; content: WireBlock[] }[];
  system?: { text: string }[];
  inferenceConfig?: { maxTokens?: number; temperature?: number; topP?: number };
  toolConfig?: {
    tools: { toolSpec: { name: string; description?: string; inputSchema: { json: unknown } } }[];
    toolChoice?: { any?: object; auto?: object; tool?: { name: string } };
  };
  outputConfig?: {
    textFormat: { type: string; structure: { jsonSchema: { schema: string; name?: string } } };
  };
}

interface WireBlock {
  text?: string;
  toolUse?: { toolUseId: string; name: string; input: unknown };
  toolResult?: { toolUseId: string; content: { text?: string }[]; status?: 'success' | 'error' };
}

const fitting = /^[a-zA-Z0-9_-]{1,64}$/;

/** Why Converse refuses a request, in its words where they are known; undefined where it takes it. */
export function converseProblem(body: ConverseBody): string | undefined {
  const maxTokens = body.inferenceConfig?.maxTokens;
  if (maxTokens !== undefined && maxTokens < 1)
    return `1 validation error detected: Value '${maxTokens}' at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1`;
  const messages = body.messages ?? [];
  if (messages[0]?.role !== 'user') return 'A conversation must start with a user message.';
  if (messages.some((message, place) => message.role === messages[place - 1]?.role))
    return 'A conversation must alternate between user and assistant roles.';
  if ((body.system ?? []).some(({ text }) => text.trim() === '')) return 'The text field in system is blank.';
  for (const tool of body.toolConfig?.tools ?? []) {
    if (!fitting.test(tool.toolSpec.name)) return `the name of a tool does not match: ${tool.toolSpec.name}`;
    if (tool.toolSpec.description === '') return 'the description of a tool is too short';
    if (tool.toolSpec.inputSchema.json === undefined) return 'a tool has no inputSchema.json';
  }
  if (body.toolConfig?.tools.length === 0) return 'toolConfig.tools is too short';
  for (const [place, { content }] of messages.entries()) {
    const calls = (messages[place - 1]?.content ?? []).flatMap((block) => block.toolUse?.toolUseId ?? []);
    const results = content.flatMap((block) => block.toolResult?.toolUseId ?? []);
    if (calls.toSorted().join() !== results.toSorted().join())
      return `Expected toolResult blocks at messages.${place}.content for the following Ids: ${calls.join()}`;
    for (const [number, block] of content.entries()) {
      if (block.text?.trim() === '')
        return `The text field in the ContentBlock object at messages.${place}.content.${number} is blank. Add text to the text field, and try again.`;
      const uses = block.toolUse ?? block.toolResult;
      if (uses && !body.toolConfig)
        return 'The toolConfig field must be defined when using toolUse and toolResult content blocks.';
      if (uses && !fitting.test(uses.toolUseId)) return `an id does not match: ${uses.toolUseId}`;
      if (block.toolUse && !fitting.test(block.toolUse.name))
        return `a name does not match: ${block.toolUse.name}`;
      const input = block.toolUse?.input;
      if (block.toolUse && (typeof input !== 'object' || input === null || Array.isArray(input)))
        return 'the input of a toolUse block is not an object';
    }
  }
  return undefined;
}
