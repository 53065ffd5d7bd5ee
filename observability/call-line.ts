import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import { span, type Words } from './span.ts';
import type { TaskView } from './task-view.ts';
import { countText, durationText, modelText, moneyText } from './wording.ts';

/** What an event of a model call says. `view` is that after the event. */
export function callLine(type: EventOf<'call'>, data: unknown, view: TaskView): Words {
  switch (type) {
    case 'call.intended': {
      const { model, backend, pool, role, worstCaseMicroDollars } = data as DataOf<'call.intended'>;
      const cost = worstCaseMicroDollars > 0 ? `, at most ${moneyText(worstCaseMicroDollars)}` : '';
      return inside(`asks ${modelText({ model, backend })} of pool ${pool} for the ${role}${cost}`);
    }
    case 'call.taken_over': {
      const { from, claim } = data as DataOf<'call.taken_over'>;
      const after = view.takeOvers.at(-1)?.afterMs ?? 0;
      return {
        glyph: '⇄',
        tone: 'warn',
        spans: [
          span(`${from} is gone; `, 'warn'),
          span(claim.process, 'accent'),
          span(
            ` asks again, ${durationText(after)} after the call was declared (it may have been paid twice)`,
          ),
        ],
      };
    }
    case 'call.completed': {
      const { reply, model, backend, costMicroDollars } = data as DataOf<'call.completed'>;
      const attempts = reply.attempts > 1 ? `, ${reply.attempts} attempts` : '';
      const tokens = `${reply.inputTokens}+${reply.outputTokens} tokens`;
      return inside(
        `${modelText({ model, backend })} answered: ${tokens}, ${durationText(reply.durationMs)}, ${moneyText(costMicroDollars)}${attempts}`,
      );
    }
    case 'call.failed': {
      const { model, backend, kind, message, attempts } = data as DataOf<'call.failed'>;
      return {
        glyph: '✗',
        tone: 'bad',
        spans: [
          span(`${modelText({ model, backend })}: `, 'accent'),
          span(message, 'bad'),
          span(`  (${kind}, ${countText(attempts, 'attempt')})`, 'dim'),
        ],
      };
    }
    case 'call.cancelled':
      return inside(`called off: ${(data as DataOf<'call.cancelled'>).reason}`);
  }
}

function inside(text: string): Words {
  return { glyph: '·', tone: 'dim', isDetail: true, spans: [span(text, 'dim')] };
}
