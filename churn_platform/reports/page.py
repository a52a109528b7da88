"""Reports as single pages that ask nothing of the network."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def render_page(name: str, **values: object) -> str:
    """The page `name` of this folder's templates, text escaped; a value that the template lacks is an error."""
    environment = Environment(
        loader=PackageLoader("churn_platform.reports", package_path="."), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(f"{name}.j2").render(**values)
