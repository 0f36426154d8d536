"""Webhooks: where nothing is sent."""

import pytest

from portal_backend.core.addresses import is_public
from scorecards.webhooks.addresses import BadAddress, read_url, resolve
from scorecards.webhooks.sending import send
from scorecards.webhooks.settings import WebhookSettings
from tests.scorecards.webhooks.receiving import HOOKS, LOCAL


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "ftp://example.org/",
        "file:///etc/passwd",
        "http://",
        "http://user:word@example.org/",
        "http://example.org:99999/",
        "http://example.org:0/",
        "http://[::1/",
        "http://exa mple.org/",
        "http://example.org/\nHost: x",
        "http://bücher.example/",
        "http://localhost/",
        "http://portal.internal/",
        "http://127.0.0.1/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://172.16.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://224.0.0.1/",
        f"http://example.org/{'x' * 3000}",
    ],
)
def test_an_address_that_leads_nowhere_or_inside_is_refused(client, url):
    answer = client.post(HOOKS, json={"url": url})
    assert answer.status_code == 400
    assert answer.json["errors"]


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "017700000001"])
def test_odd_spellings_of_inner_addresses_are_seen_through_when_sending(host):
    try:
        found = resolve(read_url(f"http://{host}/", allow_private=False), allow_private=False)
    except BadAddress:
        return
    assert all(is_public(address) for address in found)


def test_a_name_that_leads_inside_is_refused_at_sending(monkeypatch, receiver):
    inner = [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", ("127.0.0.1", 80))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_more: inner)
    outcome = send("http://hooks.example.org/", {}, b"{}", WebhookSettings())
    assert "an address of a private network" in (outcome.error or "")


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch, receiver):
    """A name that answers differently the second time (DNS rebinding) is not asked a second time."""
    asked = []

    def resolve_once(host, port, *_args, **_more):
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr("portal_backend.core.addresses.socket.getaddrinfo", resolve_once)
    port = receiver.server.server_port
    connected = []
    original = __import__("socket").create_connection

    def connect(address, *args, **more):
        connected.append(address)
        monkeypatch.undo()
        return original(address, *args, **more)

    monkeypatch.setattr("scorecards.webhooks.sending.socket.create_connection", connect)
    outcome = send(f"http://hooks.example.org:{port}/", {}, b"{}", LOCAL)
    assert outcome.status == 204
    assert (asked, connected) == (["hooks.example.org"], [("127.0.0.1", port)])
    assert receiver.taken[0][1]["Host"] == f"hooks.example.org:{port}"
