"""What the tests of reviews have serves here too."""

from tests.engagements.reviews.conftest import acting, case, company, engaged, fixed_clock, kinds, sre

__all__ = ["acting", "case", "company", "engaged", "fixed_clock", "kinds", "sre"]
