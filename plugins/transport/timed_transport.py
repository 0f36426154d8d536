"""HTTP under a deadline: no source can hold us longer, however slowly it sends its headers or body.

The timeouts of requests and urllib3 bound a single read of the socket; a server that sends a byte every few seconds
never meets them. Here every read gets no more time than is left.
"""

import http.client
import io
import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from plugins.transport.deadline import Deadline


class TimedAdapter(HTTPAdapter):
    """The transport of requests, with every read of a socket bounded by the deadline."""

    def __init__(self, deadline: Deadline, read_seconds: float) -> None:
        self._pools = _pool_classes(deadline, read_seconds)
        super().__init__(pool_connections=1, pool_maxsize=2, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> ProxyManager:
        """Make the pools of connections through a proxy."""
        manager: ProxyManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


class _TimedReader(io.RawIOBase):
    """Reads from a socket, giving each read only the time that is left."""

    def __init__(self, connection: socket.socket, raw: io.RawIOBase, deadline: Deadline, read_seconds: float) -> None:
        super().__init__()
        self._connection, self._raw = connection, raw
        self._deadline, self._read_seconds = deadline, read_seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._deadline.remaining()
        if remaining <= 0:
            raise TimeoutError("timed out: the deadline has passed")
        self._connection.settimeout(min(remaining, self._read_seconds))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _pool_classes(deadline: Deadline, read_seconds: float) -> dict[str, Any]:
    """Return connection pools whose answers read against the deadline."""

    class TimedAnswer(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            raw = self.fp.detach()
            self.fp = io.BufferedReader(_TimedReader(sock, raw, deadline, read_seconds))

    class TimedConnection(HTTPConnection):
        response_class = TimedAnswer

    class TimedTlsConnection(HTTPSConnection):
        response_class = TimedAnswer

    class TimedPool(HTTPConnectionPool):
        ConnectionCls = TimedConnection

    class TimedTlsPool(HTTPSConnectionPool):
        ConnectionCls = TimedTlsConnection

    return {"http": TimedPool, "https": TimedTlsPool}
