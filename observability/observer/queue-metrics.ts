import { telemetry, type Gauge } from '../../schemas/telemetry.ts';

interface Queue {
  consumer: string;
  waiting: number;
  inHand: number;
}

const everyMs = 5000;

/** While this process is debugged, says how long each inbox is; else nobody is asked. */
export function measureQueues(read: () => Promise<Queue[]>): void {
  let queues: Queue[] = [];
  const port = telemetry();
  const look = () => {
    if (!port.isDebug) {
      queues = [];
      return;
    }
    read().then(
      (found) => void (queues = found),
      () => {},
    );
  };
  setInterval(look, everyMs).unref();
  port.gauges(() =>
    queues.flatMap(({ consumer, waiting, inHand }): Gauge[] => {
      const attributes = { 'messaging.system': 'nats', 'messaging.consumer.group.name': consumer };
      return [
        { name: 'switchyard.inbox.waiting', value: waiting, attributes },
        { name: 'switchyard.inbox.in_hand', value: inHand, attributes },
      ];
    }),
  );
}
