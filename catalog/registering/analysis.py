"""What a component in a repository could be described by, told from the repository's address alone. Pure.

Source: Backstage's repository analyser, as it answers without access to the repository: only the address is read, as
git-url-parse reads it.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from catalog.format.urls import is_absolute_url
from catalog.places.scm import Integration
from portal_backend.core.errors import Fault, InvalidInput

AZURE, BITBUCKET, GITHUB, GITLAB = "azure", "bitbucket", "github", "gitlab"
PREFIXES = {AZURE: "dev.azure.com", BITBUCKET: "bitbucket.org", GITHUB: "github.com", GITLAB: "gitlab.com"}
"""Of the annotation that names a repository, by the kind of system that holds it."""
HOSTS = {"www.github.com": GITHUB, **{host: system for system, host in PREFIXES.items()}}
PAGES = frozenset({"-", "blob", "edit", "issues", "pull", "raw", "src", "tree"})
"""Steps of an address that stand behind the repository's own."""


def suggest_component(target: str, integrations: Iterable[Integration] = ()) -> dict[str, Any]:
    """Return a descriptor to begin with, for the repository at an address; raises InvalidInput when it names none.

    `integrations` are the hosts that are known beside the public ones.
    """
    if not is_absolute_url(target):
        raise _no_repository("is no URL; give the address of a repository, such as https://github.com/owner/name")
    parts = urlsplit(target.strip())
    hosts = HOSTS | {one.host: one.scm.value for one in integrations}
    system = hosts.get(parts.netloc.rpartition("@")[2].lower())
    owner, name = _repository([unquote(step) for step in parts.path.split("/") if step], system)
    if not name:
        raise _no_repository("names no repository; give its address, such as https://github.com/owner/name")
    metadata: dict[str, Any] = {"name": name}
    if system is not None:
        metadata["annotations"] = {f"{PREFIXES[system]}/project-slug": f"{owner}/{name}"}
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": metadata,
        "spec": {"type": "other", "lifecycle": "unknown"},
    }


def _repository(steps: Sequence[str], system: str | None) -> tuple[str, str]:
    """Return owner (with all groups) and name of the repository that the steps of an address lead to."""
    if system == AZURE and "_git" in steps[1:-1]:
        at = steps.index("_git", 1)
        return steps[at - 1], steps[at + 1]
    if system in {GITHUB, BITBUCKET}:
        steps = steps[:2]
    end = next((at for at, step in enumerate(steps) if at >= 2 and step in PAGES), len(steps))
    *owners, name = steps[:end] or [""]
    return "/".join(owners), name.removesuffix(".git")


def _no_repository(message: str) -> InvalidInput:
    return InvalidInput(f"location.target {message}.", [Fault("location.target", message)])
