"""JSON Lines as records: fields of nested objects by dotted names, and the elements of one array as records."""

import json
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from churn_platform.errors import InputError, suggest
from churn_platform.lake.expressions import literal, same_column

SQL = Path(__file__).with_name("sql")
KEYS_SAMPLED = 1000
MOST_KEYS = 1000
NO_COLUMNS = ("", "__row", "__element", "__record", "__broken")

KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class RecordShape:
    """How `source_records` is selected from the view `records`, as SQL.

    `columns`: each value, by the column's name. `record`: the whole record, for the quarantine. `broken`: reason and
    text, chr(31) between them, of a record that cannot be read, else NULL. `element`: its number in its line's array.
    """

    columns: dict[str, str]
    record: str
    broken: str = "CAST(NULL AS VARCHAR)"
    element: str = "CAST(NULL AS BIGINT)"


def prepare_json_lines(
    connection: duckdb.DuckDBPyConnection,
    wanted: MappingType[str, str],
    unnest: str | None,
    file: str,
    elsewhere: list[str],
) -> RecordShape:
    """Create the view `records` over a file of JSON Lines.

    Args:
        wanted: the columns that the mapping names, each with the key that names it. A name that no line has as a key is
            a path of keys with points between them.
        unnest: the array whose elements become records; names that begin with it are fields of an element.
        elsewhere: wanted columns that may be missing here.

    Raises:
        InputError: no line has the key, or the path.
    """
    keys = _lines(connection, file)
    if unnest is not None:
        shape, objects = _unnested(connection, wanted, unnest, keys, elsewhere)
    else:
        paths = [keys.path(name, key) for name, key in wanted.items() if not _is_elsewhere(name, elsewhere, keys, name)]
        shape = _whole_lines(connection, paths)
        objects = [_Object(path, keys, path, "line") for path in ((), *_around(paths))]
    return _with_all_keys(shape, objects)


def _is_elsewhere(name: str, elsewhere: list[str], keys: "_Keys", path: str) -> bool:
    return same_column(name, elsewhere) is not None and keys.find(path) is None


@dataclass(frozen=True)
class _Object:
    """An object whose keys may be columns: `name` of it, `keys` to find them at `path` of, `text` to read them from."""

    name: KeyPath
    keys: "_Keys"
    path: KeyPath
    text: str

    def columns(self) -> dict[str, str]:
        """Each key as a column that holds JSON. Of an object with very many keys, which are data: none."""
        found = self.keys.at(self.path, None, MOST_KEYS + 1)
        if len(found) > MOST_KEYS:
            return {}
        return {
            ".".join((*self.name, key)): f"json_extract({self.text}, {literal(_pointer((*self.path, key)))})"
            for key in found
        }


def _around(paths: Iterable[KeyPath]) -> list[KeyPath]:
    """The objects that the paths lead through, the whole record left out."""
    return [*dict.fromkeys(path[:length] for path in paths for length in range(1, len(path)))]


def _with_all_keys(shape: RecordShape, objects: Iterable[_Object]) -> RecordShape:
    """The shape with the other keys of the objects as columns.

    Left out: a key that differs from another one only in case, and one that no column can have.
    """
    columns, taken = dict(shape.columns), {name.casefold() for name in (*shape.columns, *NO_COLUMNS)}
    for one in objects:
        for name, value in one.columns().items():
            if name.casefold() not in taken:
                taken.add(name.casefold())
                columns[name] = f"CASE WHEN is_object THEN {value} END"
    return replace(shape, columns=columns)


def prepare_whole_json_lines(connection: duckdb.DuckDBPyConnection, names: Sequence[str], file: str) -> RecordShape:
    """Create the view `records` with every key of the lines, and those of the names that are paths into them."""
    keys = _lines(connection, file)
    paths = [(key,) for key in keys.at((), None)]
    return _whole_lines(connection, [*paths, *filter(None, map(keys.find, names))])


def _lines(connection: duckdb.DuckDBPyConnection, file: str) -> "_Keys":
    connection.execute("SET VARIABLE pointers = ?", [[""]])
    connection.execute(f"CREATE OR REPLACE TEMP VIEW lines AS {(SQL / 'jsonl_records.sql').read_text('utf-8')}")
    return _Keys(connection, "lines", "line", file)


def _whole_lines(connection: duckdb.DuckDBPyConnection, paths: Iterable[KeyPath]) -> RecordShape:
    connection.execute("CREATE OR REPLACE TEMP VIEW records AS FROM lines")
    columns = _values(connection, "fields", "pointers", {path: path for path in paths})
    record = "CASE WHEN is_object THEN CAST(line AS JSON) ELSE to_json(line) END"
    return RecordShape(columns, record, "CASE WHEN NOT is_object THEN 'broken JSON' || chr(31) || line END")


def _unnested(
    connection: duckdb.DuckDBPyConnection,
    wanted: MappingType[str, str],
    unnest: str,
    keys: "_Keys",
    elsewhere: list[str],
) -> tuple[RecordShape, list[_Object]]:
    """The shape of elements with the fields around them, and the objects that the mapping names fields of."""
    within = f"{unnest}.".casefold()
    missing = any(f"{name}.".casefold().startswith(within) for name in elsewhere) and keys.find(unnest) is None
    array = tuple(unnest.split(".")) if missing else keys.path(unnest, "source.unnest")
    connection.execute("SET VARIABLE unnest = ?", [_pointer(array)])
    connection.execute("SET VARIABLE element_pointers = ?", [[""]])
    connection.execute("SET VARIABLE without_elements = ?", [_without(array)])
    connection.execute("SET VARIABLE not_an_array = ?", [f"{unnest} is not an array"])
    plain_values = same_column(unnest, [*wanted]) is not None
    no_object = None if plain_values else f"an element of {unnest} is no object"
    connection.execute("SET VARIABLE not_an_object = CAST(? AS VARCHAR)", [no_object])
    connection.execute(f"CREATE OR REPLACE TEMP VIEW records AS {(SQL / 'jsonl_elements.sql').read_text('utf-8')}")
    element_keys = _Keys(connection, "records", "element", keys.file, array)
    outer: dict[KeyPath, KeyPath] = {}
    inner: dict[KeyPath, KeyPath] = {}
    for name, key in wanted.items():
        if name.casefold() == unnest.casefold():
            inner[array] = ()
        elif name.casefold().startswith(within):
            field = name[len(unnest) + 1 :]
            if not _is_elsewhere(name, elsewhere, element_keys, field):
                path = element_keys.path(field, key)
                inner[(*array, *path)] = path
        elif not _is_elsewhere(name, elsewhere, keys, name):
            path = keys.path(name, key)
            outer[path] = path
    columns = _values(connection, "fields", "pointers", outer)
    columns |= _values(connection, "element_fields", "element_pointers", inner)
    whole = "{'record': CASE WHEN is_object THEN CAST(record AS JSON) ELSE to_json(record) END, 'element': element}"
    objects = [_Object(path, keys, path, "record") for path in ((), *_around((*outer, array)))]
    if array not in inner:
        within_elements = ((), *_around(inner.values()))
        objects += [_Object((*array, *path), element_keys, path, "element") for path in within_elements]
    return RecordShape(columns, whole, "broken", "element_number"), objects


class _Keys:
    """The keys that objects of a view have, found in a sample first and in all of them if need be."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, view: str, value: str, file: str, above: KeyPath = ()
    ) -> None:
        self.file = file
        self._connection = connection
        self._view = view
        self._value = value
        self._above = above

    def path(self, name: str, key: str) -> KeyPath:
        """The path of keys that a name means: the key of that name, else the keys between its points.

        Raises:
            InputError: no object has it; names the mapping key, the nearest and all existing keys beside it.
        """
        found = self.find(name)
        if found is None:
            parents: KeyPath = ()
            for part in name.split("."):
                step = self._step(parents, part)
                if step is None:
                    break
                parents = (*parents, step)
            existing = [".".join((*self._above, *parents, other)) for other in self.at(parents, None)]
            wanted = ".".join((*self._above, name))
            raise InputError(f"Mapping key {key}: {self.file} has no column '{wanted}'.{suggest(wanted, existing)}")
        return found

    def find(self, name: str) -> KeyPath | None:
        """As `path`, but None if no object has it."""
        whole = self._step((), name)
        if whole is not None:
            return (whole,)
        path: KeyPath = ()
        for part in name.split("."):
            step = self._step(path, part)
            if step is None:
                return None
            path = (*path, step)
        return path

    def at(self, path: KeyPath, limit: int | None, most: int | None = None) -> list[str]:
        """The keys that the objects at a path have, of the first objects only if there is a limit; any `most` of them.

        A key with a NUL is left out: no SQL and no name of a column can hold it.
        """
        objects = f"SELECT {self._value} FROM {self._view} WHERE is_object AND {self._value} IS NOT NULL LIMIT ?"
        rows = self._connection.execute(
            f"SELECT key FROM (SELECT DISTINCT unnest(json_keys({self._value}, ?)) AS key FROM ({objects})) "
            "WHERE NOT contains(key, chr(0)) LIMIT ?",
            [_pointer(path), limit if limit is not None else 2**62, most if most is not None else 2**62],
        ).fetchall()
        return sorted(key for (key,) in rows)

    def _step(self, path: KeyPath, name: str) -> str | None:
        sampled = same_column(name, self.at(path, KEYS_SAMPLED))
        return same_column(name, self.at(path, None)) if sampled is None else sampled


def _values(
    connection: duckdb.DuckDBPyConnection, fields: str, variable: str, paths: MappingType[KeyPath, KeyPath]
) -> dict[str, str]:
    """Have the list `fields` extracted by the pointers of a variable, and give each column as its element."""
    connection.execute(f"SET VARIABLE {variable} = ?", [[_pointer(path) for path in paths.values()] or [""]])
    return {".".join(name): f"{fields}[{position}]" for position, name in enumerate(paths, start=1)}


def _pointer(path: KeyPath) -> str:
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path)


def _without(array: KeyPath) -> str:
    """A merge patch that takes the array away."""
    patch: object = None
    for key in reversed(array):
        patch = {key: patch}
    return json.dumps(patch)
