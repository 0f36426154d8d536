"""The blueprint that every module of views in this package adds its routes to: one permission scope."""

from portal_backend.core.http import make_blueprint

blueprint = make_blueprint("scorecards", __name__, "/api", "How ready each service is, why, and what to do first.")
