"""A YAML mapping that remembers on which line each key stands, so that errors can point at it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from churn_platform.errors import DefinitionError


@dataclass(frozen=True)
class YamlSource:
    """The content of a YAML file, and its node tree."""

    path: Path
    data: dict[str, Any]
    root: yaml.MappingNode

    def at(self, location: Sequence[int | str]) -> str:
        """Where a key stands: 'file.yml, line 7, columns[2].type', as deep as the file goes and one name beyond."""
        node: yaml.Node = self.root
        line, text = 1, ""
        for part in location:
            child = _child(node, part)
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
            if child is None:
                break
            line, node = child
        return f"{self.path}, line {line}" + (f", {text}" if text else "")


def read_yaml(path: Path) -> YamlSource:
    """Read a YAML file that holds one mapping.

    Raises:
        DefinitionError: the file does not exist, is not UTF-8 YAML, is not a mapping, or repeats a key.
    """
    if not path.is_file():
        existing = ", ".join(sorted(file.name for file in path.parent.glob("*.yml"))) or "none"
        raise DefinitionError(f"{path} does not exist. Contracts beside it: {existing}.")
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{path} cannot be read as YAML: {error}.") from error
    if not isinstance(root, yaml.MappingNode):
        found = "nothing" if data is None else type(data).__name__
        raise DefinitionError(f"{path} must hold a mapping of keys (description, owner, grain, …); found {found}.")
    _refuse_repeated_keys(path, root)
    return YamlSource(path, data, root)


def _child(node: yaml.Node, part: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        item = node.value[part]
        return item.start_mark.line + 1, item
    return None


def _refuse_repeated_keys(path: Path, node: yaml.Node) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise DefinitionError(
                    f"{path}, line {line}: the key '{key.value}' stands twice (first on line {seen[key.value]}); "
                    "keep one, or join them."
                )
            seen[key.value] = line
            _refuse_repeated_keys(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(path, item)
