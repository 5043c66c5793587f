"""Verification reports as SARIF 2.1.0, the format of code scanning.

The standard: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html. What GitHub reads of it, and requires:
https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support.
"""

from __future__ import annotations

import hashlib
import os.path
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from detpyc import __version__
from detpyc.verify.reports import Status
from detpyc.wheel.problems import Rule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from detpyc.verify.reports import Finding, VerificationReport

__all__ = ["RULES", "sarif_log"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_HELP = "See docs/sarif.md of detpyc for all rules, and docs/verify.md for what the statuses and the problems mean."
_MAX_REASONS = 10  # in a message; GitHub shows 1,000 characters
UNMET = "unmet-requirement"
NEVER_LOADED = "never-loaded"


class SarifRule(NamedTuple):
    """A rule, as code scanning shows it.

    Attributes:
        name: readable, in one word.
        level: ``error``, ``warning`` or ``note``.
        severity: from 0.0 to 10.0, as GitHub ranks security alerts; None if it is not about security.
        short: the rule in a few words.
        full: what it means.
        help: what to do.

    """

    name: str
    level: str
    severity: float | None
    short: str
    full: str
    help: str


_BUILD_AGAIN = "Remove the pyc, or byte-compile its source again."
_BUILD_WHEEL_AGAIN = "Build the wheel again from sources that you trust, and verify the result."

# By id: the statuses of pycs, the rules for problems, and the requirements.
RULES = {
    Status.IDENTICAL.value: SarifRule(
        "IdenticalBytecode",
        "note",
        None,
        "Bytecode is what detpyc writes for its source",
        "The pyc has the same bytes that detpyc writes for its source.",
        "There is nothing to do.",
    ),
    Status.EQUIVALENT.value: SarifRule(
        "EquivalentBytecode",
        "note",
        None,
        "Bytecode is that of its source, in another encoding",
        "The pyc contains the code that its source compiles to, written differently from how detpyc writes it.",
        "To get the same bytes on every machine, run `detpyc normalize`, or byte-compile with detpyc.",
    ),
    Status.DIFFERS.value: SarifRule(
        "DifferentBytecode",
        "error",
        9.3,
        "Bytecode is not what its source compiles to",
        "The pyc contains other code than its source compiles to. Python runs the pyc, whatever the source says.",
        f"Do not run it. Find out who made it. {_BUILD_AGAIN}",
    ),
    Status.STALE.value: SarifRule(
        "StaleBytecode",
        "error",
        7.5,
        "Bytecode is of another version of its source",
        "The header of the pyc does not match the source. Python still runs the pyc if its header is not checked.",
        _BUILD_AGAIN,
    ),
    Status.ORPHAN.value: SarifRule(
        "OrphanedBytecode",
        "warning",
        6.5,
        "Bytecode has no source",
        "There is no source to compare the pyc with, so nobody can read what it does.",
        "Name an sdist or a wheel that has the source with `--sources`, or remove the pyc.",
    ),
    Status.UNVERIFIABLE.value: SarifRule(
        "UnverifiableBytecode",
        "warning",
        6.5,
        "Bytecode cannot be verified here",
        "It could not be decided whether the pyc contains the code that its source compiles to.",
        "The reason says what is missing. Install that release of CPython, or use `--install-interpreters`.",
    ),
    Status.MALFORMED.value: SarifRule(
        "MalformedBytecode",
        "error",
        5.5,
        "Bytecode is malformed",
        "The pyc cannot be read, or its name is for another version of Python than its magic number.",
        _BUILD_AGAIN,
    ),
    Rule.RECORD.value: SarifRule(
        "RecordMismatch",
        "error",
        7.0,
        "RECORD is not the list of what is in the wheel",
        "RECORD omits a file, lists one that is missing, or has a wrong size or hash.",
        _BUILD_WHEEL_AGAIN,
    ),
    Rule.INSTALLED_PATH.value: SarifRule(
        "AmbiguousInstalledPath",
        "error",
        8.5,
        "Installers or systems can make something else of a file",
        "Two members can become one installed file, or a file can be installed where only some installers put modules.",
        _BUILD_WHEEL_AGAIN,
    ),
    Rule.NAME.value: SarifRule(
        "AmbiguousName",
        "error",
        8.5,
        "Some systems or unpackers read a name as that of another file",
        "The name hides bytecode, or is that of another module, on a system that maps names.",
        "Rename or remove the file.",
    ),
    Rule.DISGUISE.value: SarifRule(
        "DisguisedBytecode",
        "error",
        9.0,
        "A file that is not named like a pyc contains bytecode",
        "`python FILE` runs bytecode and archives whatever their names are, and the pycs in such an archive are not"
        " verified with what it is in.",
        "Do not run it. Verify an archive on its own, or remove the file.",
    ),
    Rule.PROVENANCE.value: SarifRule(
        "ContradictedProvenance",
        "error",
        7.0,
        "The content contradicts detpyc.json",
        "The record of what made the bytecode cannot be read, or the bytecode is not what it says.",
        _BUILD_WHEEL_AGAIN,
    ),
    Rule.METADATA.value: SarifRule(
        "UnreadableMetadata",
        "warning",
        None,
        "METADATA cannot be read",
        "Which versions of Python the wheel is for is not known, and so neither is which of them load its bytecode.",
        "Fix the metadata of the project, and build the wheel again.",
    ),
    Rule.CONTENT.value: SarifRule(
        "UnverifiedContent",
        "error",
        7.0,
        "Something in the artifact could not be verified",
        "A part of the artifact could not be read, is too large, or is read differently by different programs.",
        "Remove what the message names, or make the artifact again.",
    ),
    NEVER_LOADED: SarifRule(
        "NeverLoadedBytecode",
        "note",
        None,
        "No CPython loads the bytecode",
        "Where the pyc is, or by what its header says, no CPython loads it. It only takes space.",
        "Remove the pyc, or byte-compile hash-based pycs; `detpyc normalize --invalidation-mode` converts pycs.",
    ),
    UNMET: SarifRule(
        "UnmetRequirement",
        "error",
        None,
        "A required Python does not load bytecode of a module",
        "There is no pyc of the module that the CPython of `--require` loads.",
        "Byte-compile the module for that version and optimization level.",
    ),
}
_INDEXES = {name: index for index, name in enumerate(RULES)}


def sarif_log(
    reports: Sequence[VerificationReport], allowed: Collection[Status], failures: Mapping[str, str]
) -> dict[str, object]:
    """Return a SARIF log with one run, as an object for JSON.

    It has a result for each finding whose status is not allowed, for each pyc that is never loaded, for each problem,
    and for each requirement that is not met. It depends on nothing else: two runs over the same artifacts are equal.

    Args:
        reports: what was verified.
        allowed: the statuses that pass.
        failures: the paths that could not be verified, with the reasons.

    """
    notifications = [
        {"level": "error", "message": {"text": _text(reason)}, "locations": [_location(path)]}
        for path, reason in failures.items()
    ]
    invocation = {"executionSuccessful": not failures, "toolExecutionNotifications": notifications}
    driver = {"name": "detpyc", "version": __version__, "rules": [*map(_descriptor, RULES)]}
    results = [result for report in reports for result in _results(report, allowed)]
    run = {"tool": {"driver": driver}, "invocations": [invocation], "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _descriptor(name: str) -> dict[str, object]:
    rule = RULES[name]
    properties: dict[str, object] = {"tags": ["bytecode", "correctness"]}
    if rule.severity is not None:
        properties = {"tags": ["bytecode", "security", "supply-chain"], "security-severity": str(rule.severity)}
    return {
        "id": name,
        "name": rule.name,
        "shortDescription": {"text": rule.short},
        "fullDescription": {"text": rule.full},
        "help": {"text": f"{rule.help} {_HELP}"},
        "defaultConfiguration": {"level": rule.level},
        "properties": {**properties, "precision": "very-high"},
    }


def _results(report: VerificationReport, allowed: Collection[Status]) -> Iterator[dict[str, object]]:
    for finding in report.refused(allowed):
        path = _inside(report, finding.pyc)
        yield _result(finding.status.value, path, _message(finding), "")
    for name, reason in report.never_loaded.items():
        yield _result(NEVER_LOADED, _inside(report, name), f"{name}: {reason}", "")
    for problem in report.problems:
        yield _result(problem.rule.value, report.path, problem, problem)
    for requirement, sources in report.unmet.items():
        for source in sources:
            message = f"{requirement} loads no pyc of {source}"
            yield _result(UNMET, _inside(report, source), message, requirement)
        if not sources:
            yield _result(UNMET, report.path, f"{requirement} loads no pyc", requirement)


def _message(finding: Finding) -> str:
    reasons = [*finding.reasons[:_MAX_REASONS]] or [RULES[finding.status.value].short]
    more = len(finding.reasons) - len(reasons)
    layer = f" (layer {finding.layer})" if finding.layer else ""
    return f"{finding.pyc}{layer}: " + "; ".join([*reasons, *([f"and {more} more differences"] if more > 0 else [])])


def _inside(report: VerificationReport, path: str) -> str:
    """Return the path of a file, of one in an archive as if the archive were a directory."""
    return path if PurePath(path).is_relative_to(report.path) else f"{report.path}/{path}"


def _result(rule: str, path: str, message: str, distinction: str) -> dict[str, object]:
    """Return a result.

    Args:
        rule: the id.
        path: of the file.
        message: for people.
        distinction: distinguishes it from other results of the rule in the file. The same problem has the same
            fingerprint in every run.

    """
    location = _location(path)
    identity = "\0".join([rule, _uri(path), _text(distinction)])
    fingerprint = hashlib.sha256(identity.encode()).hexdigest()
    return {
        "ruleId": rule,
        "ruleIndex": _INDEXES[rule],
        "level": RULES[rule].level,
        "message": {"text": _text(message)},
        "locations": [location],
        # The name of the only one that GitHub reads.
        "partialFingerprints": {"primaryLocationLineHash": f"{fingerprint[:32]}:1"},
    }


def _location(path: str) -> dict[str, object]:
    # GitHub requires a line, which a binary file does not have.
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(path)}, "region": {"startLine": 1}}}


def _uri(path: str) -> str:
    """Return a URI reference: relative to the current directory, or a ``file:`` URI for what is not below it."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - without "..", and links are not resolved
    try:
        prefix, named = "", absolute.relative_to(Path.cwd()).as_posix()
    except ValueError:
        prefix, named = "file:///", absolute.as_posix().removeprefix("/")
    return prefix + quote(named.encode(errors="surrogatepass"))


def _text(text: str) -> str:
    """Return a string without the lone surrogates that stand for undecodable bytes, which JSON in UTF-8 cannot have."""
    return text.encode(errors="backslashreplace").decode()
