import type { CircuitRelayService } from "@libp2p/circuit-relay-v2";

interface Limited {
  readonly limit?: { readonly duration?: number };
}

interface Messages {
  write(message: Limited, options?: unknown): Promise<void>;
}

interface MessageStream {
  pb(codec: unknown): Messages;
}

/** The part of libp2p's relay that writes messages; not its public interface. */
interface RelayMessages {
  handleHopProtocol(hop: { stream: MessageStream }, options: unknown): Promise<void>;
  stopHop(stop: { request: Limited }, options: unknown): Promise<unknown>;
}

/**
 * Has a relay tell how long a circuit may last in seconds, as the specification of circuit relay v2
 * wants it and every client reads it. libp2p's own counts in milliseconds and sends them as they are.
 */
export function tellSeconds(service: CircuitRelayService): void {
  const relay = service as unknown as RelayMessages;
  const handleHop = relay.handleHopProtocol.bind(relay);
  relay.handleHopProtocol = ({ stream, ...hop }, options) =>
    handleHop({ ...hop, stream: { ...stream, pb: (codec) => writing(stream.pb(codec)) } }, options);
  const stopHop = relay.stopHop.bind(relay);
  relay.stopHop = ({ request, ...stop }, options) =>
    stopHop({ ...stop, request: inSeconds(request) }, options);
}

function writing(messages: Messages): Messages {
  return {
    ...messages,
    write: (message, options) => messages.write(inSeconds(message), options),
  };
}

function inSeconds<Message extends Limited>(message: Message): Message {
  const { limit } = message;
  if (!limit?.duration) return message;
  return { ...message, limit: { ...limit, duration: Math.ceil(limit.duration / 1_000) } };
}
