"""What ties a service to a system: whether any service carries it, and what to write where none does."""

from collections.abc import Sequence

from plugins.contract import AnnotationSpec, Target


def remedy(specs: Sequence[AnnotationSpec]) -> str:
    """Return what to write into a catalog file, with examples: one of the annotations is enough."""
    lines = " or ".join(f"`{spec.key}: {spec.example or '…'}`" for spec in specs)
    return f"write {lines} under metadata.annotations in the service's catalog file"


def missing(specs: Sequence[AnnotationSpec], targets: Sequence[Target]) -> str:
    """Say that no service carries an annotation that is needed, and how to mend it; empty where some does."""
    needed = [spec for spec in specs if spec.needed]
    if not needed or any(target.annotations.get(spec.key, "").strip() for target in targets for spec in needed):
        return ""
    keys = " or ".join(spec.key for spec in needed)
    return f"no service of the catalog carries {keys}, so none is looked for: {remedy(needed)}"
