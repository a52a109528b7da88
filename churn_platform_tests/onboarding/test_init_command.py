"""The command `churn init`: what it prints, what it refuses, and what it leaves behind."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from churn_platform import cli
from churn_platform.errors import InputError
from churn_platform.lake.mapping import read_mapping
from churn_platform.settings import Targets, read_definition

Write = Callable[[str, bytes | str], Path]
Run = Callable[..., tuple[int, str]]

LOG = "customer,date,amount\n" + "".join(
    f"c{number % 40},2024-{month:02}-{number % 28 + 1:02},{number}.50\n"
    for month in range(1, 7)
    for number in range(80)
)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.delenv("CHURN_HOME", raising=False)
    monkeypatch.chdir(tmp_path)

    def runner(*arguments: str | Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["churn", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out + printed.err

    return runner


def test_it_prints_columns_returns_and_the_next_command(write: Write, run: Run, tmp_path: Path) -> None:
    code, said = run("init", write("log.csv", LOG), "--home", tmp_path / "my shop")
    assert code == 0
    for part in ("user_id", "header 'customer'", "480 of 480 records land", "When 40 customers come back", "30 days"):
        assert part in said
    *_, command = said.rstrip().partition("Next: ")
    words = shlex.split(command)
    assert words[:4] == ["churn", "run", "--source", str(tmp_path / "log.csv")]
    assert words[-1] == str(tmp_path / "my shop")
    mapping = read_mapping(Path(words[words.index("--mapping") + 1]))
    definition = read_definition(Path(words[words.index("--definition") + 1]))
    assert mapping.source.name == "my-shop"
    assert definition.auto_accept
    assert definition.targets == Targets(), "one fold is enough for the history of a year"
    assert sorted(path.name for path in (tmp_path / "my shop").iterdir()) == ["churn.toml", "mapping.toml"]


def test_without_a_home_it_writes_here_and_run_gets_a_home_of_its_own(write: Write, run: Run, tmp_path: Path) -> None:
    code, said = run("init", write("Log 2024.csv", LOG))
    assert code == 0
    assert {"mapping.toml", "churn.toml"} <= {path.name for path in tmp_path.iterdir()}
    assert said.rstrip().endswith("--home data/log-2024")


def test_files_that_are_there_are_replaced_only_by_force(write: Write, run: Run, tmp_path: Path) -> None:
    file = write("log.csv", LOG)
    (tmp_path / "churn.toml").write_text("# mine\n")
    code, said = run("init", file)
    assert code == 2
    assert "churn.toml exists already" in said
    assert "--force" in said
    assert (tmp_path / "churn.toml").read_text() == "# mine\n"
    assert not (tmp_path / "mapping.toml").exists()
    assert run("init", file, "--force")[0] == 0
    assert "auto_accept = true" in (tmp_path / "churn.toml").read_text()


def test_without_a_customer_it_says_what_it_looked_at_and_leaves_a_draft(
    write: Write, run: Run, tmp_path: Path
) -> None:
    code, said = run("init", write("x.csv", "day,amount,shop\n2024-01-01,2.50,A\n2024-01-02,3.50,A\n"))
    assert code == 2
    for part in (
        "No column could be taken for user_id",
        "day: taken for event_time",
        "amount: taken for amount",
        "shop: one value only ('A')",
        "mapping.draft.toml",
        'user_id = "<your column>"',
    ):
        assert part in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mapping.draft.toml", "x.csv"]
    with pytest.raises(InputError, match=r"columns\.user_id is missing"):
        read_mapping(tmp_path / "mapping.draft.toml")


def test_without_a_time_it_says_why(write: Write, run: Run) -> None:
    code, said = run("init", write("x.csv", "customer,when\na,soon\nb,later\n"))
    assert code == 2
    assert "No column could be taken for event_time" in said
    assert "when: no known form of time reads its values ('" in said


def test_objects_without_fields_are_refused(write: Write, run: Run) -> None:
    code, said = run("init", write("x.jsonl", "{}\n{}\n"))
    assert (code, "its objects have no fields" in said) == (2, True)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("2024-01-01,17,3.5\n2024-01-02,18,4.5\n", ("line 1 holds '2024-01-01', '17'", "names the columns")),
        ("customer,date\n", ("has a header but no rows",)),
        ("", ("is empty (0 bytes)",)),
    ],
)
def test_a_file_that_is_no_table_is_refused(content: str, parts: tuple[str, ...], write: Write, run: Run) -> None:
    code, said = run("init", write("x.csv", content))
    assert code == 2
    for part in parts:
        assert part in said


def test_a_missing_file_is_named(run: Run) -> None:
    code, said = run("init", "nowhere.csv")
    assert (code, "nowhere.csv does not exist" in said) == (2, True)


@pytest.mark.parametrize("home", ["taken", "taken/shop"])
def test_a_home_that_is_a_file_is_refused(home: str, write: Write, run: Run, tmp_path: Path) -> None:
    taken = write("taken", "mine")
    code, said = run("init", write("log.csv", LOG), "--home", tmp_path / home)
    assert (code, f"{taken} is a file. Expected a folder" in said) == (2, True)
    assert taken.read_text() == "mine"


@pytest.mark.parametrize("source", ["s3://bucket/log.csv", "https://host/log.csv", "postgres"])
def test_a_source_elsewhere_is_refused(source: str, run: Run) -> None:
    code, said = run("init", source)
    assert (code, f"{source} lies elsewhere" in said) == (2, True)


def test_the_home_of_the_environment_is_the_place(
    write: Write, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "shop"))
    code, said = run("init", write("log.csv", "customer,date\na,2024-01-01\nb,2024-01-02\n"))
    assert code == 0
    assert read_mapping(tmp_path / "shop" / "mapping.toml").source.name == "shop"
    assert said.rstrip().endswith(f"--home {tmp_path / 'shop'}")


def test_rows_that_cannot_land_are_counted_and_allowed_for(write: Write, run: Run, tmp_path: Path) -> None:
    guests = LOG + "".join(f",2024-03-{day:02},1.00\n" for day in range(1, 29)) * 6
    code, said = run("init", write("log.csv", guests))
    assert code == 0
    assert "480 of 648 records land" in said
    assert "missing user_id: 168" in said
    assert read_mapping(tmp_path / "mapping.toml").source.max_rejected_share == pytest.approx(0.35)


def test_a_file_that_breaks_off_is_refused_with_the_mapping_that_was_tried(
    write: Write, run: Run, tmp_path: Path
) -> None:
    code, said = run("init", write("log.csv", LOG + "c1,2024-"))
    assert code == 2
    assert "half written" in said
    assert f"The mapping that was tried is {tmp_path / 'mapping.draft.toml'}" in said
    assert not (tmp_path / "mapping.toml").exists()


def test_few_customers_are_told(write: Write, run: Run, tmp_path: Path) -> None:
    code, said = run("init", write("log.csv", "customer,date\na,2024-01-01\nb,2024-01-02\na,2024-01-03\n"))
    assert code == 0
    assert "2 customers have too few silences" in said
    assert "The history of 3 days is too short for a model" in said
    assert read_definition(tmp_path / "churn.toml").churn.horizon_days == 7
