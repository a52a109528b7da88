"""The words of the reports on a model: languages/<language>.toml."""

import tomllib
from pathlib import Path
from typing import Literal

Language = Literal["en", "zh"]


def words(language: Language) -> dict[str, str]:
    """Key → text in one language; every language has the same keys."""
    file = Path(__file__).parent / "languages" / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
