"""EDGE. Sockets: one port for WebSockets and HTTP, connections, who follows what, drain."""
