"""Files that are replaced as a whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Give a draft beside `target` to write, and rename it over `target` at the end of the block.

    A kill, or an error in the block, leaves the old content, or none where there was none.
    """
    draft = target.with_name(f".{target.name}.draft")
    yield draft
    draft.replace(target)
