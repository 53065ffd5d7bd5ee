import { crc32 } from 'node:zlib';

/**
 * One message of AWS's event stream encoding, big-endian throughout: total length, length of the headers, CRC-32 of
 * these eight bytes, headers, payload, CRC-32 of all that came before. A header is the length of its name in a byte,
 * the name, the type in a byte (7: text), the length of the value in two bytes, the value.
 */
export function frame(headers: Record<string, string>, payload: string): Buffer {
  const head = Buffer.concat(Object.entries(headers).map(([name, value]) => header(name, value)));
  const body = Buffer.from(payload);
  const total = 16 + head.length + body.length;
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(total, 0);
  prelude.writeUInt32BE(head.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const message = Buffer.concat([prelude, head, body]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(message), 0);
  return Buffer.concat([message, checksum]);
}

/** An event of a stream, by its type. */
export function eventFrame(type: string, payload: object): Buffer {
  const headers = { ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' };
  return frame(headers, JSON.stringify(payload));
}

/** A failure in the middle of a stream that the service's model knows. */
export function exceptionFrame(type: string, message: string): Buffer {
  const headers = {
    ':exception-type': type,
    ':content-type': 'application/json',
    ':message-type': 'exception',
  };
  return frame(headers, JSON.stringify({ message }));
}

/** A failure in the middle of a stream that it does not know. */
export function errorFrame(code: string, message: string): Buffer {
  return frame({ ':message-type': 'error', ':error-code': code, ':error-message': message }, '');
}

function header(name: string, value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length, 0);
  return Buffer.concat([
    Buffer.from([Buffer.byteLength(name)]),
    Buffer.from(name),
    Buffer.from([7]),
    length,
    bytes,
  ]);
}
