"""SARIF: it validates against the published schema, has what GitHub requires, and its rules are those of the page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

import images
import wheels
from detpyc import __version__
from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.reports import PASSING, Finding, Status
from detpyc.verify.sarif import NEVER_LOADED, RULES, UNMET, sarif_log
from detpyc.wheel.problems import Problem, Rule
from pycs import HERE, PYC, SOURCE, forged, pyc
from unit.verify.findings import report_on

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from detpyc.verify.reports import VerificationReport

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "tests/fixtures/sarif/sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
ROW = re.compile(r"^\| `(?P<id>[\w-]+)` \| (?P<level>\w+) \| (?P<severity>[\d.]*) ?\| (?P<short>.+) \|$", re.MULTILINE)
EVERY = report_on(
    "site",
    tuple(Finding(f"site/{status.value}.pyc", status, ("a reason",)) for status in Status),
    tuple(Problem(f"a problem of {rule.value}", rule) for rule in Rule),
    unmet={"cpython-312": ("site/core.py",), "cpython-313": ()},
)._replace(never_loaded={"site/stale.pyc": "a reason"})


def log_of(
    *reports: VerificationReport, allowed: Collection[Status] = PASSING, failures: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the one run of a log that validates against the schema."""
    log = json.loads(json.dumps(sarif_log(reports, allowed, failures or {})))
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    (run,) = log["runs"]
    assert isinstance(run, dict)
    return run


def uri(result: Mapping[str, Any]) -> str:
    (location,) = result["locations"]
    found = location["physicalLocation"]["artifactLocation"]["uri"]
    assert isinstance(found, str)
    return found


def test_schema_is_strict_enough() -> None:
    """It refuses a log with a mistake."""
    log = sarif_log([EVERY], (), {})
    log["version"] = "2.0.0"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(SCHEMA).validate(log)


def test_tampered_tree(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    (tree / PYC).write_bytes(forged())
    (tree / "gone.pyc").write_bytes(pyc())
    (tree / "core.PYC").write_bytes(b"")
    (tree / "program").write_bytes(pyc())
    (tree / "fine.py").write_bytes(SOURCE)
    (tree / "fine.pyc").write_bytes(pyc(path="fine.py"))

    run = log_of(verify_artifact(".", [HERE]))

    assert [(result["ruleId"], uri(result)) for result in run["results"]] == [
        ("orphan", "gone.pyc"),
        ("differs", PYC),
        ("never-loaded", "fine.pyc"),
        ("ambiguous-name", "."),
        ("disguised-bytecode", "."),
    ]
    assert run["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]


def test_tampered_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = wheels.complete({"core.py": SOURCE, PYC: forged(), "__pycache__/x y.pyc": b""})
    contents["unlisted.txt"] = b""
    wheels.write(tmp_path / "demo-1.0-py3-none-any.whl", contents)
    monkeypatch.chdir(tmp_path)
    run = log_of(verify_artifact("demo-1.0-py3-none-any.whl", [HERE]))
    assert [(result["ruleId"], uri(result)) for result in run["results"]] == [
        ("differs", f"demo-1.0-py3-none-any.whl/{PYC}"),
        ("malformed", "demo-1.0-py3-none-any.whl/__pycache__/x%20y.pyc"),
        ("never-loaded", "demo-1.0-py3-none-any.whl/__pycache__/x%20y.pyc"),
        ("record", "demo-1.0-py3-none-any.whl"),
    ]


def test_tampered_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layout is a directory, and what is in its image is not on disk."""
    layer = images.tar({"core.py": SOURCE, PYC: forged()})
    images.write_layout(tmp_path / "oci", [layer])
    monkeypatch.chdir(tmp_path)
    (result,) = log_of(verify_artifact("oci", [HERE]))["results"]
    assert (result["ruleId"], uri(result)) == ("differs", f"oci/{PYC}")
    assert result["message"]["text"].startswith(f"{PYC} (layer {images.digest(layer)}): ")


def test_every_rule() -> None:
    """Each status, kind of problem and requirement has a rule, with what GitHub requires or shows."""
    assert list(RULES) == [*(status.value for status in Status), *(rule.value for rule in Rule), NEVER_LOADED, UNMET]
    run = log_of(EVERY, allowed=())
    assert (run["tool"]["driver"]["name"], run["tool"]["driver"]["version"]) == ("detpyc", __version__)
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    for rule in rules:
        assert all(rule[part]["text"].strip() for part in ("shortDescription", "fullDescription", "help"))
        assert ("security" in rule["properties"]["tags"]) == ("security-severity" in rule["properties"])
    assert {result["ruleId"] for result in run["results"]} == set(RULES)
    for result in run["results"]:
        assert result["level"] == rules[result["ruleIndex"]]["defaultConfiguration"]["level"]
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 1


def test_what_passes_is_no_result() -> None:
    assert {result["ruleId"] for result in log_of(EVERY)["results"]}.isdisjoint({"identical", "equivalent"})
    passing = report_on("site", EVERY.findings)
    assert log_of(passing, allowed=tuple(Status))["results"] == []


def test_page_lists_the_rules() -> None:
    page = (ROOT / "docs" / "sarif.md").read_text(encoding="utf-8")
    listed = {row["id"]: (row["level"], row["severity"], row["short"]) for row in ROW.finditer(page)}
    expected = {
        name: (rule.level, "" if rule.severity is None else str(rule.severity), rule.short)
        for name, rule in RULES.items()
    }
    assert listed == expected


def test_fingerprints() -> None:
    """Different results have different ones; the reasons do not matter, as they may depend on the interpreter."""
    fingerprints = [result["partialFingerprints"]["primaryLocationLineHash"] for result in log_of(EVERY)["results"]]
    assert len(set(fingerprints)) == len(fingerprints)
    one, other = (report_on("x.pyc", (Finding("x.pyc", Status.DIFFERS, (reason,)),)) for reason in "ab")
    assert log_of(one)["results"][0]["message"] != log_of(other)["results"][0]["message"]
    hashes = {log_of(report)["results"][0]["partialFingerprints"]["primaryLocationLineHash"] for report in (one, other)}
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("site/a b%/ü:?#.pyc", "site/a%20b%25/%C3%BC%3A%3F%23.pyc"),
        ("./site/../x.pyc", "x.pyc"),
        ("\udc80.pyc", "%ED%B2%80.pyc"),
        ("../x y.pyc", "file://{parent}/x%20y.pyc"),
    ],
)
def test_uris(path: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (result,) = log_of(report_on(path, (Finding(path, Status.DIFFERS),)))["results"]
    assert uri(result) == expected.format(parent=tmp_path.as_posix())
    absolute = (tmp_path / "here" / "x.pyc").as_posix()
    (result,) = log_of(report_on(absolute, (Finding(absolute, Status.DIFFERS),)))["results"]
    assert uri(result) == "x.pyc"


@pytest.mark.parametrize(
    ("artifact", "path", "expected"),
    [
        ("dist/lam.zip", "core.pyc", "dist/lam.zip/core.pyc"),
        ("image", "app/core.pyc", "image/app/core.pyc"),
        ("site", "site/core.pyc", "site/core.pyc"),
        (".", "core.pyc", "core.pyc"),
        ("core.pyc", "core.pyc", "core.pyc"),
    ],
)
def test_files_in_archives(artifact: str, path: str, expected: str) -> None:
    """They have the path of the archive before their own."""
    report = report_on(artifact, (Finding(path, Status.DIFFERS),), unmet={"cpython-312": (path,)})
    assert [uri(result) for result in log_of(report)["results"]] == [expected, expected]


def test_texts_are_bounded_and_valid() -> None:
    reasons = tuple(f"\udc80\x1b {number}" for number in range(1000))
    report = report_on("x.pyc", (Finding("x.pyc", Status.DIFFERS, reasons),))
    message = log_of(report)["results"][0]["message"]["text"]
    assert message.startswith(r"x.pyc: \udc80" + "\x1b 0; ")
    assert message.endswith("; and 990 more differences")


def test_failures() -> None:
    run = log_of(failures={"missing": "missing: no such file or directory"})
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    (notification,) = invocation["toolExecutionNotifications"]
    assert (notification["level"], notification["message"]["text"], uri(notification)) == (
        *("error", "missing: no such file or directory"),
        "missing",
    )
