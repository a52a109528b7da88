"""The families of features: `dbt_like_sql/families.yml`."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from churn_platform.contracts.yaml_source import read_yaml
from churn_platform.core.reason_words import Language
from churn_platform.errors import DefinitionError


class Family(BaseModel):
    """What the features of one family have in common; its key in the file is its code and its English name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: str = Field(min_length=1, description="name in Chinese")
    actionable: bool = Field(description="whether a shop can act on what the features tell")
    why: str = Field(min_length=1, description="why it can or cannot")

    def name_in(self, code: str, language: Language) -> str:
        """What the family is called."""
        return self.zh if language == "zh" else code


def read_families(path: Path) -> dict[str, Family]:
    """Code → family.

    Raises:
        DefinitionError: the file is missing, is not YAML, or a family lacks a key or has one too many; one line per
            problem, each with file, line and key.
    """
    source = read_yaml(path)
    families: dict[str, Family] = {}
    problems: list[str] = []
    for code, described in source.data.items():
        try:
            families[code] = Family.model_validate(described)
        except ValidationError as error:
            expected = ", ".join(Family.model_fields)
            problems += [
                f"{source.at([code, *found['loc']])}: {found['msg']}. A family has: {expected}."
                for found in error.errors()
            ]
    if problems:
        raise DefinitionError("\n".join(problems))
    return families
