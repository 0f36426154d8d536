"""What a provider finds now: the targets of the catalog files, and whose they are. No database."""

from catalog.discovery import github, gitlab
from catalog.discovery.asking import Host
from catalog.discovery.repositories import included, names_one_file, target_of
from catalog.places.hosts import UrlPolicy
from catalog.places.scm import Scm
from catalog.settings import Provider


def find_targets(provider: Provider, urls: UrlPolicy) -> dict[str, str]:
    """Return the repositories (`github.com:1296269`) by the URLs of their catalog files, sorted.

    Raises Unreadable unless everything could be asked.
    """
    host = Host(provider.integration, urls)
    include, scm = provider.include, provider.integration.scm
    system = github if scm is Scm.GITHUB else gitlab
    listing, files = system.repositories, system.with_file
    wanted = included(listing(host, provider), include)
    if names_one_file(include):
        held = files(host, wanted, include.path, include.branch)
        wanted = [one for one in wanted if one.id in held]
    name = provider.integration.host
    return dict(sorted((target_of(one, include, scm), f"{name}:{one.number}") for one in wanted))
