"""Which English words a page shows to a reader of Chinese."""

import re
from base64 import b64decode
from html.parser import HTMLParser

# Names of measures, methods and units that Chinese readers use as they are.
TERMS = frozenset(
    ["AUC", "BG", "Brier", "CSI", "ECE", "EMP", "KS", "Kaplan", "Meier", "NBD", "PR", "PSI", "ROC", "UTC", "nat"]
)
_VOID = frozenset({"br", "img", "link", "meta"})
_IMAGE = re.compile(r"data:image/svg\+xml;base64,(.+)")


def english_words(page: str) -> list[str]:
    """Words of two or more Latin letters that are neither TERMS nor identifiers: outside of <code>, <style> and
    elements with translate="no"; those drawn in the page's images too, but for names with an underscore. A hash with
    digits is no word."""
    reader = _Reader()
    reader.feed(page)
    text = "\n".join(reader.shown)
    return [word for word in re.findall(r"(?<![A-Za-z0-9])[A-Za-z]{2,}(?![A-Za-z0-9])", text) if word not in TERMS]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []
        self._hidden: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if image := _IMAGE.match(given.get("src") or ""):
            drawn = re.findall(r"<text[^>]*>([^<]*)<", b64decode(image[1]).decode())
            self.shown += [text for text in drawn if "_" not in text]
        if tag not in _VOID:
            self._hidden.append(tag in ("code", "style") or given.get("translate") == "no")

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self._hidden.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._hidden):
            self.shown.append(data)
