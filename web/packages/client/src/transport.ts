/** The socket as a seam: four callbacks, two methods. Refuses any meaning of what it carries. */

export interface TransportHandlers {
  onOpen(): void;
  onMessage(message: unknown): void;
  /** Exactly once, also when it never opened; 1006 when the network took it. */
  onClose(code: number): void;
}

export interface Transport {
  send(message: string | Uint8Array<ArrayBuffer>): void;
  close(): void;
}

export type TransportFactory = (
  url: string,
  subprotocol: string,
  handlers: TransportHandlers,
) => Transport;

export const webSocketTransport: TransportFactory = (url, subprotocol, handlers) => {
  const socket = new WebSocket(url, subprotocol);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => handlers.onOpen();
  socket.onmessage = (event) => handlers.onMessage(event.data);
  socket.onclose = (event) => handlers.onClose(event.code);
  return {
    send: (message) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(message);
    },
    close: () => socket.close(1000),
  };
};
