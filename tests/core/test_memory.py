import gc

from portal_backend.core.memory import keep_what_is_loaded


def test_what_is_loaded_is_not_gone_through_again() -> None:
    gc.unfreeze()
    kept: list[object] = [[]]
    try:
        keep_what_is_loaded()
        assert gc.get_freeze_count() > 1_000
        assert not any(found is kept for found in gc.get_objects())
    finally:
        gc.unfreeze()
