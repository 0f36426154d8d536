"""What a provider finds now: the targets of the catalog files. No database."""

from catalog.discovery import github, gitlab
from catalog.discovery.asking import Host
from catalog.discovery.repositories import included, names_one_file, target_of
from catalog.places.hosts import UrlPolicy
from catalog.places.scm import Scm
from catalog.settings import Provider


def find_targets(provider: Provider, urls: UrlPolicy) -> list[str]:
    """Return the URLs of the catalog files, sorted; raises Unreadable unless everything could be asked."""
    host = Host(provider.integration, urls)
    include, scm = provider.include, provider.integration.scm
    system = github if scm is Scm.GITHUB else gitlab
    listing, files = system.repositories, system.with_file
    wanted = included(listing(host, provider), include)
    if names_one_file(include):
        held = files(host, wanted, include.path, include.branch)
        wanted = [one for one in wanted if one.id in held]
    return sorted({target_of(one, include, scm) for one in wanted})
