"""Strings, keys and comments of a TOML file that a person reads."""

import json
import re
import textwrap
from typing import Final

WIDTH: Final = 118


def toml_string(text: str) -> str:
    """A TOML string; between single quotes where that saves escapes."""
    if ('"' in text or "\\" in text) and "'" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(name: str) -> str:
    """A TOML key, bare where it may be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_string(name)


def comment(text: str) -> list[str]:
    """A comment, over several lines where it is long; control characters shown, not written."""
    shown = "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in text)
    return [f"# {line}" for line in textwrap.wrap(shown, WIDTH)]
