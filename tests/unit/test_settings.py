"""Tables, made into settings."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bounds import bounded
from detpyc.errors import SettingsError
from detpyc.settings import Settings, disabled, jobs, variable

TABLE = "tool.pdm.build.hooks.detpyc"
KEYS = (
    "cache, compression, exclude, include, interpreters, invalidation-mode, layout, on-missing-interpreter,"
    " on-syntax-error, optimize, provenance"
)


def problems_of(table: dict[str, Any], **options: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings.from_table(table, TABLE, **options)
    return str(caught.value).splitlines()


def test_defaults() -> None:
    assert Settings.from_table({}, TABLE) == Settings(
        interpreters=(),
        optimize=(0,),
        invalidation_mode="checked-hash",
        include=(),
        exclude=(),
        on_syntax_error="fail",
        layout="pycache",
        compression="deflated",
        provenance=True,
        on_missing_interpreter="fail",
    )


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("interpreters", ["3.12", "cpython3.13", "/usr/bin/python3"], ("3.12", "cpython3.13", "/usr/bin/python3")),
        ("optimize", [2, 0, 2], (0, 2)),
        ("invalidation-mode", "unchecked-hash", "unchecked-hash"),
        ("include", ["/pkg/", "!x.py"], ("/pkg/", "!x.py")),
        ("exclude", [], ()),
        ("exclude", ["tests/**"], ("tests/**",)),
        ("on-syntax-error", "skip", "skip"),
        ("layout", "sourceless", "sourceless"),
        ("compression", "stored", "stored"),
        ("provenance", False, False),
        ("on-missing-interpreter", "skip", "skip"),
        ("on-missing-interpreter", "install", "install"),
        ("cache", True, True),
    ],
)
def test_values(key: str, value: object, expected: object) -> None:
    settings = Settings.from_table({key: value}, TABLE)
    assert getattr(settings, key.replace("-", "_")) == expected
    assert settings != Settings() or expected == ()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("interpreters", "3.12", 'must be a list, not "3.12"'),
        ("interpreters", [], "is empty; omit it for the interpreter that runs the build"),
        ("interpreters", [3.12], "must be a list of non-empty strings; found 3.12"),
        ("interpreters", [""], 'must be a list of non-empty strings; found ""'),
        ("optimize", 1, "must be a list, not 1"),
        ("optimize", [], "is empty; omit it for level 0"),
        ("optimize", [3], "must be a list of 0, 1 and 2; found 3"),
        ("optimize", [-1], "; found -1"),
        ("optimize", ["1"], '; found "1"'),
        ("optimize", [True], "; found true"),
        ("optimize", [None], "; found None"),
        ("optimize", [1.0], "; found 1.0"),
        ("invalidation-mode", "checked", 'must be "checked-hash" or "unchecked-hash", not "checked"'),
        ("invalidation-mode", True, 'must be "checked-hash" or "unchecked-hash", not true'),
        ("invalidation-mode", ["checked-hash"], "not ['checked-hash']"),
        ("invalidation-mode", "timestamp", "installers do not keep mtimes, so the pyc would never load"),
        ("on-missing-interpreter", "ignore", 'must be "fail" or "skip" or "install", not "ignore"'),
        ("cache", "yes", 'must be true or false, not "yes"'),
        ("on-missing-interpreter", True, 'must be "fail" or "skip" or "install", not true'),
        ("include", "*.py", 'must be a list, not "*.py"'),
        ("include", [1], "must be a list of non-empty strings; found 1"),
        ("exclude", ["!"], "must be a list of gitignore patterns: "),
        ("include", ["[z-a]"], "must be a list of gitignore patterns: bad character range"),
        ("exclude", {"a": 1}, "must be a list, not {'a': 1}"),
        ("on-syntax-error", "ignore", 'must be "fail" or "skip", not "ignore"'),
        ("layout", "flat", 'must be "pycache" or "sourceless", not "flat"'),
        ("compression", "zstd", 'must be "deflated" or "stored", not "zstd"'),
        ("provenance", "yes", 'must be true or false, not "yes"'),
        ("provenance", 1, "must be true or false, not 1"),
    ],
)
def test_wrong_values(key: str, value: object, words: str) -> None:
    (problem,) = problems_of({key: value})
    assert problem.startswith(f"{TABLE}.{key} ")
    assert words in problem


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("interpreter", "interpreters"),
        ("optimise", "optimize"),
        ("invalidation_mode", "invalidation-mode"),
        ("Include", "include"),
        ("on-syntax-errors", "on-syntax-error"),
    ],
)
def test_near_misses(key: str, meant: str) -> None:
    assert problems_of({key: []}) == [f"unknown setting {TABLE}.{key}; did you mean {meant}?"]


def test_unknown_key() -> None:
    assert problems_of({"colour": "red"}) == [f"unknown setting {TABLE}.colour; the settings are {KEYS}"]


def test_every_mistake_is_listed() -> None:
    problems = problems_of({"optimise": [0], "layout": 1, "optimize": [0], "include": "x", "provenance": None})
    assert [problem.removeprefix("unknown setting ").split()[0].rstrip(";") for problem in problems] == [
        f"{TABLE}.{key}" for key in ("optimise", "layout", "include", "provenance")
    ]


def test_keys_of_somebody_else_are_ignored() -> None:
    assert Settings.from_table({"dependencies": ["detpyc"]}, TABLE, {"dependencies"}) == Settings()
    assert problems_of({"dependencies": ["detpyc"]})


def test_timestamp_where_it_makes_sense() -> None:
    settings = Settings.from_table({"invalidation-mode": "timestamp"}, "options", modes=("checked-hash", "timestamp"))
    assert settings.invalidation_mode == "timestamp"


@pytest.mark.parametrize("key", ["interpreters", "optimize"])
def test_sourceless_layout_has_room_for_one(key: str) -> None:
    values: dict[str, list[Any]] = {"interpreters": ["3.12", "3.13"], "optimize": [0, 1]}
    value = values[key]
    assert problems_of({"layout": "sourceless", key: value}) == [
        f'{TABLE}.{key} has 2 entries; layout = "sourceless" takes one'
    ]
    assert Settings.from_table({"layout": "sourceless", key: value[:1]}, TABLE).layout == "sourceless"


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("interpreters", "3.12, 3.13", ("3.12", "3.13")),
        ("optimize", "2,0", (0, 2)),
        ("invalidation-mode", "unchecked-hash", "unchecked-hash"),
        ("include", "a/*.py,b.py", ("a/*.py", "b.py")),
        ("provenance", "0", False),
        ("provenance", "False", False),
        ("provenance", "true", True),
    ],
)
def test_environment_overrides_the_table(key: str, text: str, expected: object) -> None:
    table = {"provenance": True, "optimize": [1]}
    settings = Settings.from_table(table, TABLE, environment={variable(key): text, "DETPYC_COLOUR": "red"})
    assert getattr(settings, key.replace("-", "_")) == expected


def test_empty_variable_is_ignored() -> None:
    assert Settings.from_table({"optimize": [1]}, TABLE, environment={"DETPYC_OPTIMIZE": ""}).optimize == (1,)


@pytest.mark.parametrize(
    ("name", "text"), [("DETPYC_OPTIMIZE", "3"), ("DETPYC_OPTIMIZE", "x"), ("DETPYC_PROVENANCE", "maybe")]
)
def test_mistakes_in_the_environment_name_the_variable(name: str, text: str) -> None:
    (problem,) = problems_of({}, environment={name: text})
    assert problem.startswith(f"{name} must be ")


@pytest.mark.parametrize(
    ("value", "expected"), [(None, False), ("", False), ("0", False), ("false", False), ("1", True), ("TRUE", True)]
)
def test_disabled(value: str | None, expected: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert disabled({} if value is None else {"DETPYC_DISABLE": value}) is expected


def test_disabled_neither_yes_nor_no() -> None:
    with pytest.raises(SettingsError, match="DETPYC_DISABLE must be true or false, not"):
        disabled({"DETPYC_DISABLE": "maybe"})


@pytest.mark.parametrize(("value", "expected"), [(None, None), ("", None), ("4", 4)])
def test_jobs(value: str | None, expected: int | None) -> None:
    assert jobs({} if value is None else {"DETPYC_JOBS": value}) == expected


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "٣"])
def test_jobs_that_are_not_a_number(value: str) -> None:
    with pytest.raises(SettingsError, match="DETPYC_JOBS must be a positive number, not"):
        jobs({"DETPYC_JOBS": value})


def test_frontend_overrides_the_environment_and_the_table() -> None:
    frontend = {
        "interpreters": ["3.12", "3.13"],
        "on-syntax-error": "skip",
        "optimize": "1,2",
        "jobs": 4,
        "disable": "1",
    }
    environment = {"DETPYC_OPTIMIZE": "0", "DETPYC_LAYOUT": "sourceless", "DETPYC_JOBS": "9", "DETPYC_DISABLE": "0"}
    settings = Settings.from_table(
        {"layout": "pycache", "optimize": [0], "provenance": False},
        TABLE,
        environment={**environment, "DETPYC_LAYOUT": ""},
        frontend=frontend,
    )
    assert settings == Settings(("3.12", "3.13"), (1, 2), on_syntax_error="skip", provenance=False)
    assert jobs(environment, frontend) == 4
    assert disabled(environment, frontend)
    assert not disabled(environment)


def test_mistakes_of_the_frontend_are_named_as_given() -> None:
    frontend = {"optimise": "1", "colour": "red", "optimize": "", "layout": "flat"}
    first, second, *rest = problems_of({}, frontend=frontend)
    assert first == "unknown setting detpyc.optimise; did you mean optimize?"
    assert second.startswith("unknown setting detpyc.colour; the settings are ")
    assert rest == [
        "detpyc.optimize is empty; omit it for level 0",
        'detpyc.layout must be "pycache" or "sourceless", not "flat"',
    ]
    with pytest.raises(SettingsError, match=r'detpyc\.jobs must be a positive number, not ""'):
        jobs({}, {"jobs": ""})
    with pytest.raises(SettingsError, match=r"detpyc\.disable must be true or false"):
        disabled({}, {"disable": "maybe"})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DETPYC_INTERPRETER", "DETPYC_INTERPRETERS"),
        ("DETPYC_OPTIMISE", "DETPYC_OPTIMIZE"),
        ("DETPYC_DISABLED", "DETPYC_DISABLE"),
        ("DETPYC_ON_SYNTAX_ERRORS", "DETPYC_ON_SYNTAX_ERROR"),
    ],
)
def test_misspelt_variable(name: str, meant: str) -> None:
    assert problems_of({}, environment={name: "1"}) == [f"unknown setting {name}; did you mean {meant}?"]


def test_variables_of_others_are_ignored() -> None:
    others = {"DETPYC_TEST_PYTHONS": "x", "DETPYC_COLOUR": "red", "DETPY": "1", "INTERPRETERS": "3.12"}
    assert Settings.from_table({}, TABLE, environment=others) == Settings()


@pytest.mark.parametrize("value", [True, ["3.12"], "3.12"])
def test_value_that_is_not_a_table(value: object) -> None:
    with pytest.raises(SettingsError, match=rf"^{re.escape(TABLE)} must be a table, not "):
        Settings.from_table(value, TABLE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"include": ["x"] * 1001}, f"{TABLE}.include has 1001 items; the limit is 1000"),
        ({"optimize": [0] * 1001}, f"{TABLE}.optimize has 1001 items; the limit is 1000"),
        ({"exclude": ["x" * 1001]}, f"{TABLE}.exclude has a pattern of 1001 characters; the limit is 1000"),
        ({"layout": "x" * 200}, f'{TABLE}.layout must be "pycache" or "sourceless", not "{"x" * 100}..."'),
        ({"include": {"x" * 200: 1}}, f"{TABLE}.include must be a list, not {{'{'x' * 98}..."),
        (
            {"include": ["\ud800" * 200]},
            (f"{TABLE}.include must be a list of Unicode strings; found '" + r"\ud800" * 17)[:-3] + "...",
        ),
        ({"x" * 200: 1}, f"unknown setting {TABLE}.{'x' * 100}...; the settings are {KEYS}"),
    ],
)
def test_limits(table: dict[str, Any], problem: str) -> None:
    assert problems_of(table) == [problem]


@bounded()
@pytest.mark.parametrize("key", ["{}", "optimise{}", "{}" + "o" * 10**5])
def test_many_mistakes(key: str) -> None:
    problems = problems_of({key.format(number): 1 for number in range(1000)} | {"layout": 1})
    assert len(problems) == 21
    assert problems[-1] == "there are more mistakes"
