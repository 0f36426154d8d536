"""What every fake shares: a socket, the vendor's document, the token, injected faults and a record of the requests."""

import json
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, request
from openapi_core import OpenAPI
from openapi_core.contrib.flask import FlaskOpenAPIRequest, FlaskOpenAPIResponse
from openapi_core.exceptions import OpenAPIError
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)


@dataclass
class Fault:
    """An answer that the next matching request gets in place of the real one."""

    status: int = 500
    body: bytes | str = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    delay_seconds: float = 0.0
    path: str = "/"
    """The fault strikes requests whose path begins with this."""
    times: int = 1


def html(status: int = 200) -> Fault:
    return Fault(status, "<!DOCTYPE html><html><body>Sign in</body></html>", content_type="text/html")


class Fake(ABC):
    """A server of another system. Subclasses register routes on `app` and keep the state."""

    base_path = ""
    extra_parameters: Mapping[str, frozenset[str]] = {}
    """Query parameters that the server honours although its document lacks them, by path template."""
    undocumented: frozenset[str] = frozenset()
    """Path prefixes that the cut document does not hold."""

    def __init__(self, spec_file: Path, token: str = "fake-token") -> None:
        self.token = token
        self.requests: list[tuple[str, dict[str, list[str]]]] = []
        self.problems: list[str] = []
        """Breaches of the contract by the client or by this fake. A test ends with none."""
        self.faults: deque[Fault] = deque()
        self.check_answers = True
        self.url = ""
        self._spec, self._openapi = self.document(spec_file)
        self.app = Flask(type(self).__name__)
        self.app.before_request(self._before)
        self.app.after_request(self._after)
        self.register()

    @classmethod
    @cache
    def document(cls, spec_file: Path) -> tuple[dict[str, Any], OpenAPI]:
        spec = cls.relax(_relaxed(json.loads(spec_file.read_text())))
        return spec, OpenAPI.from_dict(spec)

    @classmethod
    def relax(cls, spec: dict[str, Any]) -> dict[str, Any]:
        """Loosen a defect of this vendor's own document."""
        return spec

    @abstractmethod
    def register(self) -> None:
        """Put the routes on `app`."""

    def authorized(self) -> bool:
        """Say whether the request carries the token as this vendor asks for it."""
        return request.headers.get("Authorization") == f"Bearer {self.token}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    @contextmanager
    def running(self) -> Iterator["Fake"]:
        server = make_server("127.0.0.1", 0, self.app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def _before(self) -> Response | tuple[Any, int] | None:
        query = request.args.to_dict(flat=False)
        self.requests.append((request.path, query))
        fault = self._due_fault()
        if fault:
            g.faulty = True
            return fault
        if not self.authorized():
            return self.refuse(401, "invalid token")
        return self._check_request(query) if self.is_documented() else None

    def is_documented(self) -> bool:
        """Say whether the cut document holds what is asked."""
        return not request.path.startswith(tuple(self.undocumented))

    def _check_request(self, query: Mapping[str, list[str]]) -> tuple[Any, int] | None:
        template, known = self._parameters()
        unknown = set(query) - known - self.extra_parameters.get(template, frozenset())
        if unknown:
            return self._breach(f"{request.path}: unknown parameters {sorted(unknown)}")
        try:
            self._openapi.validate_request(FlaskOpenAPIRequest(request))
        except OpenAPIError as error:
            return self._breach(f"{request.path}: {error!r} {error.__cause__!r}")
        return None

    def _after(self, response: Response) -> Response:
        if not self.check_answers or "faulty" in g or response.status_code != 200 or not response.is_json:
            return response
        if not self.is_documented():
            return response
        try:
            self._openapi.validate_response(FlaskOpenAPIRequest(request), FlaskOpenAPIResponse(response))
        except OpenAPIError as error:
            causes = "; ".join(str(e) for e in getattr(error.__cause__, "schema_errors", ()))
            self._breach(f"answer to {request.path} breaks the document: {error!r} {causes}")
        return response

    def _due_fault(self) -> Response | None:
        if not self.faults or not request.path.startswith(self.faults[0].path):
            return None
        fault = self.faults[0]
        fault.times -= 1
        if fault.times <= 0:
            self.faults.popleft()
        if fault.delay_seconds:
            return Response(_slowly(fault), fault.status, content_type=fault.content_type)
        return Response(fault.body, fault.status, dict(fault.headers), content_type=fault.content_type)

    def _parameters(self) -> tuple[str, frozenset[str]]:
        """Return the path's template in the document and the names of its query parameters."""
        # As it was sent: an escaped slash is part of a name.
        path = request.environ["REQUEST_URI"].partition("?")[0].removeprefix(self.base_path)
        for template, operations in self._spec["paths"].items():
            if _matches(template, path) and request.method.lower() in operations:
                written = operations[request.method.lower()].get("parameters", []) + operations.get("parameters", [])
                parameters = [self._resolved(parameter) for parameter in written]
                return template, frozenset(p["name"] for p in parameters if p.get("in") == "query")
        return path, frozenset()

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        """Follow a reference within the document."""
        if "$ref" not in node:
            return node
        found: Any = self._spec
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return self._resolved(found)

    def _breach(self, problem: str) -> tuple[Any, int]:
        self.problems.append(problem)
        return self.refuse(400, problem)

    def refuse(self, status: int, message: str) -> tuple[Any, int]:
        return {"message": message, "error": message}, status


def _slowly(fault: Fault) -> Iterator[bytes]:
    """One byte at a time: each within a read timeout, all together never."""
    body = fault.body if isinstance(fault.body, bytes) else fault.body.encode()
    for byte in body or b" " * 1000:
        time.sleep(fault.delay_seconds)
        yield bytes([byte])


def in_part(node: Any) -> Any:
    """Let answers hold a part of what a document demands: each field that is there must still be as it says.

    For the documents whose answers have a hundred fields each, of which a fake keeps the few that somebody reads. With
    fewer fields demanded an answer may fit several alternatives, so one of them is enough. A discriminator goes: one of
    GitHub's tells a list from objects by a property.
    """
    if isinstance(node, list):
        return [in_part(item) for item in node]
    if not isinstance(node, dict):
        return node
    parts = {key: in_part(value) for key, value in node.items()}
    if isinstance(parts.get("required"), list):
        del parts["required"]
    if isinstance(parts.get("oneOf"), list):
        parts["anyOf"] = parts.pop("oneOf")
        parts.pop("discriminator", None)
    return parts


def _matches(template: str, path: str) -> bool:
    wanted, given = template.split("/"), path.split("/")
    return len(wanted) == len(given) and all(
        w == g or (w.startswith("{") and g != "") for w, g in zip(wanted, given, strict=True)
    )


def _relaxed(node: Any) -> Any:
    """Loosen what the vendors' documents state more strictly than their servers answer.

    Go writes an empty list as null, and `format: byte` is declared where plain text is sent.
    """
    if isinstance(node, list):
        return [_relaxed(item) for item in node]
    if not isinstance(node, dict):
        return node
    relaxed = {key: _relaxed(value) for key, value in node.items()}
    if relaxed.get("type") == "array":
        relaxed["nullable"] = True
    if relaxed.get("format") == "byte":
        del relaxed["format"]
    return relaxed
