"""Somebody, or some system, that asks: a name, the roles it holds, the scopes it was given. Pure."""

from dataclasses import dataclass
from enum import StrEnum

ALL_SCOPES = "*"


class Role(StrEnum):
    """What a principal is in the organisation; decides which moves are theirs."""

    DEV = "dev"
    DEV_LEAD = "dev_lead"
    SRE = "sre"
    SRE_LEAD = "sre_lead"
    SRE_MANAGER = "sre_manager"
    PLATFORM_OWNER = "platform_owner"
    LAUNCH_COORDINATOR = "launch_coordinator"
    PLUGIN = "plugin"
    ADMINISTRATOR = "administrator"
    """Runs this installation; may act in every role, and the history says that it was an administrator."""


@dataclass(frozen=True)
class Principal:
    """Somebody, or some system, that asks."""

    name: str
    roles: frozenset[Role]
    scopes: frozenset[str]

    def has_role(self, *roles: Role) -> bool:
        """Say whether the principal holds one of the roles (an administrator holds them all)."""
        return Role.ADMINISTRATOR in self.roles or not self.roles.isdisjoint(roles)

    def may(self, scope: str) -> bool:
        """Say whether a scope such as `catalog:read` is granted, by itself, by `*:read`, by `catalog:*` or by `*`."""
        area, _, action = scope.partition(":")
        return not self.scopes.isdisjoint({ALL_SCOPES, scope, f"*:{action}", f"{area}:*"})


LOCAL_ADMINISTRATOR = Principal("local-administrator", frozenset({Role.ADMINISTRATOR}), frozenset({ALL_SCOPES}))
"""Everybody, while no authentication is configured and the server listens on loopback only."""
