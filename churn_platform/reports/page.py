"""Reports as single pages that ask nothing of the network."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from churn_platform.whole_file import written_whole


def render_page(name: str, **values: object) -> str:
    """The page `name` of this folder's templates, text escaped; a value that the template lacks is an error."""
    environment = Environment(
        loader=PackageLoader("churn_platform.reports", package_path="."), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(f"{name}.j2").render(**values)


def write_file(file: Path, content: bytes) -> Path:
    """Write a file of a report, whole or not at all; return its path."""
    with written_whole(file) as draft:
        draft.write_bytes(content)
    return file
