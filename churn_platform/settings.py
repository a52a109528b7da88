"""The product definition, the layout of a home, and the one reader of the environment."""

import hashlib
import json
import os
import tomllib
from datetime import UTC, date, datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from churn_platform.core.reason_words import Language
from churn_platform.core.snapshots import MAXIMUM_FOLDS, Windows
from churn_platform.errors import UsageError, suggest

REPOSITORY = Path(__file__).resolve().parent.parent

Days = Annotated[int, Field(ge=1, le=3650)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChurnDefinition(_Section):
    """What churn means in this shop. All lengths are whole days of the shop's time zone."""

    activity: list[str] = Field(
        default=["purchase"], min_length=1, description="event types that show a customer is alive"
    )
    lookback_days: Days = Field(default=180, description="eligible: an activity in [S - lookback, S)")
    lead_days: int = Field(default=0, ge=0, description="days between the snapshot and the start of the label window")
    horizon_days: Days = Field(default=90, description="churned: no activity in [S + lead, S + lead + horizon)")
    label_grace_days: int = Field(default=7, ge=0, description="how long a label waits for late live files")
    training_cadence_days: Days = Field(default=30, description="days between two training snapshots")

    @property
    def windows(self) -> Windows:
        """The lengths alone."""
        return Windows(
            self.lookback_days, self.lead_days, self.horizon_days, self.label_grace_days, self.training_cadence_days
        )


class Targets(_Section):
    """What a candidate must reach, out of time, before it may become champion."""

    minimum_folds: int = Field(
        default=1,
        ge=1,
        description="out-of-time tests; with the default windows a history of a year has one, of 18 months three",
    )
    minimum_auc: Share = 0.6
    maximum_auc: Share = Field(default=0.95, description="above this model or feature is too good: look for a leak")
    better_out_of_time_because: str = Field(
        default="", description="why the model may do better than on its own training rows; empty: nobody has said why"
    )
    minimum_ks: Share = 0.25
    minimum_recall_at_capacity: Share = Field(default=0.0, description="share of churners that one campaign reaches")
    minimum_coverage: Share = Field(default=0.99, description="share of eligible customers with a score")
    maximum_ece: Share = 0.1
    maximum_psi: float = Field(default=0.25, ge=0, description="drift of the scores; where churn rates swing, it does")
    beats_baselines: bool = Field(default=True, description="AUC at least that of every baseline, within its interval")

    @field_validator("minimum_folds")
    @classmethod
    def _folds_in_reach(cls, folds: int) -> int:
        if folds > MAXIMUM_FOLDS:
            raise ValueError(f"a model is tested at {MAXIMUM_FOLDS} folds at most, so that more can never be met")
        return folds


class Campaign(_Section):
    """The economics of one retention campaign, in the shop's currency."""

    budget: float = Field(default=1000.0, ge=0)
    contact_cost: float = Field(default=1.0, gt=0)
    margin: Share = Field(default=0.3, description="profit per unit of spend")
    save_rate: Share = Field(default=0.1, description="share of churners whom the action keeps")
    holdout_share: Share = Field(default=0.1, description="share of the selected who are not contacted, at random")
    action: str = Field(default="retention_offer", min_length=1)
    default_order_value: float = Field(default=1.0, gt=0, description="used when the source has no amounts at all")


class Training(_Section):
    """How much a model learns from."""

    maximum_rows: int = Field(
        default=500_000, ge=1_000, description="customers times snapshots; of more, whole customers are left out"
    )


class Scores(_Section):
    """Risk bands by churn probability, and how long a score may be used."""

    medium: Share = 0.3
    high: Share = 0.6
    critical: Share = 0.8
    valid_days: Days = 7
    published_snapshots: int = Field(default=90, ge=1)

    @model_validator(mode="after")
    def _bands_ascend(self) -> Self:
        if not self.medium < self.high < self.critical:
            raise ValueError("the bands must ascend: medium < high < critical")
        return self


class Evaluation(_Section):
    """Dates that a published protocol prescribes. Left out, the platform chooses them from the data."""

    first_training_snapshot: date | None = Field(default=None, description="the first snapshot of the training grid")
    folds: tuple[date, ...] = Field(
        default=(), max_length=MAXIMUM_FOLDS, description="out-of-time snapshots, on the grid or not"
    )


class Readiness(_Section):
    """What the data must show before a model is trained on them (core/data_readiness.py)."""

    minimum_churned: int = Field(default=500, ge=1, description="labelled examples of customers who stayed away")
    minimum_retained: int = Field(default=500, ge=1, description="labelled examples of customers who came back")
    active_within_days: Days = Field(default=30, description="an activity within so many days before the data end")
    maximum_missing_share: Share = Field(default=0.2, description="a mapped field is empty in less than this share")
    maximum_unknown_user_share: Share = Field(default=0.5, description="of all rows; from 5 % on it is noted")
    maximum_duplicate_share: Share = Field(default=0.5, description="of landed rows; from 5 % on it is noted")
    maximum_clock_error_share: Share = Field(default=0.05, description="of all rows; any one is noted")


class Reports(_Section):
    """How people are told about models and scores."""

    language: Language = Field(
        default="en", description="of the reports on a model, and of the reasons in scores and campaign lists"
    )


class ProductDefinition(_Section):
    """`churn.toml`: what a product manager decides."""

    timezone: str = Field(default="UTC", description="the shop's time zone: days begin at its midnight")
    currency: str = "GBP"
    auto_accept: bool = Field(default=False, description="true: a candidate that meets the targets needs no sign-off")
    churn: ChurnDefinition = ChurnDefinition()
    readiness: Readiness = Readiness()
    targets: Targets = Targets()
    campaign: Campaign = Campaign()
    training: Training = Training()
    scores: Scores = Scores()
    evaluation: Evaluation = Evaluation()
    reports: Reports = Reports()

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"'{name}' is not a time zone of the IANA database, such as 'Europe/London'") from error
        return name

    @model_validator(mode="after")
    def _folds_apart(self) -> Self:
        folds, window = sorted(self.evaluation.folds), self.churn.lead_days + self.churn.horizon_days
        for earlier, later in pairwise(folds):
            if (later - earlier).days < window:
                raise ValueError(
                    f"evaluation.folds: the label window of {earlier} ({window} days) reaches into {later}; "
                    "an honest test needs windows that do not overlap"
                )
        return self

    @model_validator(mode="after")
    def _folds_suffice(self) -> Self:
        prescribed, asked = len(self.evaluation.folds), self.targets.minimum_folds
        if 0 < prescribed < asked:
            raise ValueError(
                f"targets.minimum_folds: {asked} can never be met, for evaluation.folds prescribes {prescribed}"
            )
        return self

    @cached_property
    def version(self) -> str:
        """Hash of everything that decides who counts as churned; stamped on labels, models, scores and lists."""
        decided = {"timezone": self.timezone, "churn": self.churn.model_dump(mode="json")}
        return hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()[:12]


def read_definition(path: Path) -> ProductDefinition:
    """Read `churn.toml`.

    Raises:
        UsageError: the file is missing, is not TOML, or holds an unknown key or a value out of range.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist. Write one (an empty file means all defaults) or pass --definition.")
    try:
        return ProductDefinition.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        raise UsageError(f"{path} is not a product definition.\n{explain(error, ProductDefinition)}") from error


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """One line per problem of a pydantic error, with the names that exist where a name is unknown."""
    lines = []
    for problem in error.errors():
        *parents, name = [str(part) for part in problem["loc"]] or ["(file)"]
        where = ".".join([*parents, name])
        section = _section_at(model, parents)
        if problem["type"] == "extra_forbidden":
            lines.append(f"  {where}: unknown key.{suggest(name, sorted(section.model_fields))}")
        elif section.model_config.get("hide_input_in_errors"):
            lines.append(f"  {where}: {problem['msg']}.")
        else:
            lines.append(f"  {where}: {problem['msg']} (found {problem['input']!r}).")
    return "\n".join(lines)


def _section_at(model: type[BaseModel], parents: list[str]) -> type[BaseModel]:
    for parent in parents:
        field = model.model_fields.get(parent)
        annotations = (field.annotation, *get_args(field.annotation)) if field else ()
        sections = [kind for kind in annotations if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not sections:
            break
        model = sections[0]
    return model


class Home:
    """The folder of one shop (CHURN_HOME) and where things lie in it."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.definition_file = self.root / "churn.toml"
        self.mapping_file = self.root / "mapping.toml"
        self.landing = self.root / "landing"
        self.history_landing = self.landing / "history"
        self.accepted = self.landing / "accepted"
        self.rejected = self.landing / "rejected"
        self.lake = self.root / "lake"
        self.ledger_file = self.lake / "files.jsonl"
        self.events = self.lake / "events"
        self.headers = self.lake / "headers"
        self.quarantine = self.root / "quarantine"
        self.warehouse_file = self.root / "warehouse.duckdb"
        self.models = self.root / "models"
        self.registry_file = self.models / "registry.jsonl"
        self.reports = self.root / "reports"
        self.campaigns = self.root / "campaigns"
        self.published_file = self.root / "published" / "churn.duckdb"
        self.dagster = self.root / "dagster"
        self.lock_file = self.root / ".writer.lock"

    def create(self) -> Self:
        """Make the folders; existing ones are left as they are."""
        for folder in (
            self.history_landing,
            self.accepted,
            self.rejected,
            self.events,
            self.quarantine,
            self.models,
            self.reports,
            self.campaigns,
            self.published_file.parent,
            self.dagster,
        ):
            folder.mkdir(parents=True, exist_ok=True)
        return self

    def definition(self) -> ProductDefinition:
        """The product definition of this home; all defaults while the home has none."""
        return read_definition(self.definition_file) if self.definition_file.exists() else ProductDefinition()


class Environment(BaseSettings):
    """The CHURN_* environment variables; an unknown one is an error."""

    model_config = SettingsConfigDict(env_prefix="CHURN_", extra="forbid", frozen=True)

    home: Path | None = Field(default=None, description="the home of the shop; default data/demo")
    datasets: Path = Field(default=REPOSITORY.parent / "shared" / "data", description="where public data sets lie")
    now: AwareDatetime | None = Field(
        default=None, description="replays only: the time to take as now, with its offset"
    )

    def shop_home(self) -> Path:
        """CHURN_HOME, else the home of the demo."""
        return self.home or REPOSITORY / "data" / "demo"

    def current_time(self) -> datetime:
        """Now, in UTC, or the declared time of a replay."""
        return self.now.astimezone(UTC) if self.now else datetime.now(UTC)


def environment() -> Environment:
    """Read the environment.

    Raises:
        UsageError: a CHURN_* variable is unknown or cannot be read.
    """
    known = sorted(f"CHURN_{name.upper()}" for name in Environment.model_fields)
    for name in os.environ:
        if name.startswith("CHURN_") and name not in known:
            raise UsageError(f"Unknown environment variable {name}.{suggest(name, known)}")
    try:
        return Environment()
    except ValidationError as error:
        raise UsageError(f"The environment cannot be read.\n{explain(error, Environment)}") from error


def variable(name: str) -> str | None:
    """An environment variable that belongs to another tool, such as AWS_REGION; None if it is not set or empty."""
    return os.environ.get(name) or None


def secret(name: str) -> str:
    """The value of a variable that a mapping names: a credential, for the server only, never for a log or a file.

    Raises:
        UsageError: it is not set.
    """
    value = variable(name)
    if value is None:
        raise UsageError(
            f"The mapping names the environment variable {name}, which is not set. Export it and run again."
        )
    return value


def shop_day(moment: datetime, timezone: str) -> date:
    """The shop-local day of a moment."""
    return moment.astimezone(ZoneInfo(timezone)).date()
