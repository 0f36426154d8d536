"""Web servers of a test, on a free port of this machine."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def serving(server) -> Iterator[str]:
    """Let a server serve; gives its address."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def serving_files(folder: Path) -> AbstractContextManager[str]:
    """Serve a folder's files; gives the address."""
    return serving(ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietFiles, directory=str(folder))))
