"""Two kinds of files that belong together: order headers and order lines, or lines and their customers."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from churn_platform.onboarding.choices import NAMED
from churn_platform.onboarding.sample import Sample
from churn_platform.onboarding.vocabulary import name_scores

HELD: Final = 0.9  # share of the lines whose key a header has
USED: Final = 0.5  # share of the headers that a line names: else small numbers match by chance
HELD_WITH_NAMES: Final = 0.2  # where the headers agree: the first records of two files need not meet


KEY: Final = "\0key"


@dataclass(frozen=True)
class Join:
    """The files of `headers` are looked up by `header_column`, unique there, for each record of `lines`.

    `held`: share of the lines in the sample whose header is in the sample.
    """

    lines: Sample
    headers: Sample
    line_column: str
    header_column: str
    held: float

    @property
    def files(self) -> str:
        """The pattern of names that the files with the headers have and those with the lines have not."""
        names, others = ([file.name for file in sample.files] for sample in (self.headers, self.lines))
        stem = os.path.commonprefix([name.partition(".")[0] for name in names])  # noqa: RUF071 - letters are meant
        endings = {name[name.index(".") :] for name in names}
        for begin in (re.sub(r"[\W\d_]+$", "", stem), stem):
            pattern = f"{begin}*{next(iter(endings)) if len(endings) == 1 else ''}"
            if begin and not any(fnmatchcase(name, pattern) for name in others):
                return pattern
        return "".join(f"[{mark}]" if mark in "*?[" else mark for mark in names[0])

    @property
    def ordered_files(self) -> list[Path]:
        """All files, headers first, as they are to land."""
        return [*self.headers.files, *self.lines.files]

    def together(self) -> Sample:
        """The lines with the columns of their headers; a column of the lines wins over one of the same name."""
        clashing = [name for name in self.headers.frame.columns if name in self.lines.frame.columns]
        right = self.headers.frame.rename({self.header_column: KEY}).drop(clashing, strict=False)
        frame = self.lines.frame.join(right, left_on=self.line_column, right_on=KEY, how="left", maintain_order="left")
        return replace(self.lines, frame=frame, types={**self.headers.types, **self.lines.types})


def find_join(samples: Sequence[Sample]) -> Join | None:
    """How two kinds of files belong together, None if no column of one is the key of the other."""
    if len(samples) != 2:
        return None
    found = [join for lines, headers in (samples, samples[::-1]) for join in _joins(lines, headers)]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _joins(lines: Sample, headers: Sample) -> Iterator[tuple[float, Join]]:
    for header_column in headers.frame.columns:
        keys = headers.frame[header_column].drop_nulls()
        if len(keys) != headers.frame.height or keys.n_unique() != len(keys):
            continue
        for line_column in lines.frame.columns:
            values = lines.frame[line_column].drop_nulls()
            if values.is_empty():
                continue
            held = float(values.is_in(keys.implode()).mean() or 0.0)  # type: ignore[arg-type]
            used = float(keys.is_in(values.unique().implode()).mean() or 0.0)  # type: ignore[arg-type]
            alike = _alike(lines, line_column, headers, header_column)
            if (held >= HELD and used >= USED) or (alike and held >= HELD_WITH_NAMES):
                repeats = 1 - values.n_unique() / len(values)
                join = Join(lines, headers, line_column, header_column, held)
                own = not name_scores(header_column) and bool(_scores(headers, header_column))
                yield held + used + alike + repeats + own, join


def _alike(lines: Sample, line_column: str, headers: Sample, header_column: str) -> bool:
    """Whether both headers name the same kind of thing."""
    if line_column.casefold() == header_column.casefold():
        return True
    theirs = _scores(headers, header_column)
    return any(score >= NAMED <= theirs.get(role, 0.0) for role, score in _scores(lines, line_column).items())


def _scores(sample: Sample, column: str) -> dict[str, float]:
    return name_scores(column, sample.files[0].name.partition(".")[0])
