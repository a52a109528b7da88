"""The words of the reports on a model: languages/<language>.toml."""

import tomllib
from pathlib import Path

from churn_platform.core.reason_words import Language


def words(language: Language) -> dict[str, str]:
    """Key → text in one language; every language has the same keys."""
    file = Path(__file__).parent / "languages" / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
