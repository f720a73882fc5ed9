"""Taking a port, for the verbs that serve; knows nothing of what is served there."""

import socket
import sys

from gateway.commands.output import CommandFailed


def bind(host: str, port: int) -> socket.socket:
    """Take a port without listening yet: until the gateway is up, clients are refused, not hung.

    Raises:
        CommandFailed: the address cannot be had.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as exc:
        listener.close()
        raise CommandFailed(
            f"cannot listen on {host}, port {port}: {exc.strerror or exc}; choose another with "
            "--host or --port"
        ) from exc
    return listener
