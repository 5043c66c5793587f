"""The page of every command, the manual pages and the completion scripts, made from the parser of the command line.

Run as a program, as ``nox -s manuals`` does, it writes them to where they are published and shipped.
"""

from __future__ import annotations

import shutil
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from detpyc import __version__
from detpyc.cli import COMMANDS, main, make_parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "commands.md"
SHARED = ROOT / "share"  # a wheel's data; installers put it into share/ of the environment
MANUALS = SHARED / "man" / "man1"
# Where each shell looks for the scripts of programs: the documentation of bash-completion, zsh and fish.
SCRIPTS = {
    "bash": SHARED / "bash-completion" / "completions" / "detpyc",
    "fish": SHARED / "fish" / "vendor_completions.d" / "detpyc.fish",
    "zsh": SHARED / "zsh" / "site-functions" / "_detpyc",
}

STATUSES = {
    "0": "Done; the check passed.",
    "1": "A check found something.",
    "2": "Not possible: bad usage, bad input, a missing interpreter.",
}

PREFACE = """\
# Commands and options

This page has every command with all its arguments and options, as `detpyc COMMAND --help` lists them. [Command
line](command-line.md) describes what they do in detail. The page is made from the command line's parser, as are the
manual pages and the completion scripts.
"""


class Argument(NamedTuple):
    """An argument or an option of a command: what is written, and what it means."""

    form: str
    meaning: str


class Command(NamedTuple):
    """A command; without its name, the program."""

    name: str
    summary: str
    description: str
    usage: str
    arguments: list[Argument]


def commands() -> tuple[Command, list[Command]]:
    """Return the program and its commands."""
    parser, subparsers = make_parser(COMMANDS)
    summaries = {action.dest: action.help or "" for action in subparsers._choices_actions}  # noqa: SLF001 - no public name
    program = command("", parser.description or "", parser)
    named = [command(name, summaries[name], subparser) for name, subparser in subparsers.choices.items()]
    return program._replace(
        summary="byte-compile wheels and directory trees reproducibly", usage=f"{parser.prog} COMMAND [OPTION]..."
    ), named


def command(name: str, summary: str, parser: argparse.ArgumentParser) -> Command:
    """Return what a parser says about a command."""
    actions = [action for action in parser._actions if action.nargs != "A..."]  # noqa: SLF001 - likewise; no subcommands
    required = [form(action) for action in actions if action.option_strings and action.required]
    positional = [repeated(action) for action in actions if not action.option_strings]
    usage = " ".join([parser.prog, "[OPTION]...", *positional, *required])
    arguments = [
        Argument(form(action), action.help % {**vars(action), "prog": parser.prog})
        for action in sorted(actions, key=lambda action: bool(action.option_strings))
        if action.help
    ]
    return Command(name, summary, parser.description or "", usage, arguments)


def form(action: argparse.Action) -> str:
    """Return how an argument or an option is written, e.g. ``-j N, --jobs N``."""
    if not action.option_strings:
        return value(action)
    if action.nargs == 0:
        return ", ".join(action.option_strings)
    return ", ".join(f"{option} {value(action)}" for option in action.option_strings)


def value(action: argparse.Action) -> str:
    """Return the placeholder for a value, or what it can be."""
    if action.metavar is None and action.choices is not None:
        return f"{{{','.join(map(str, action.choices))}}}"
    return str(action.metavar or action.dest.upper())


def repeated(action: argparse.Action) -> str:
    """Return how often a positional argument occurs, as a usage line writes it."""
    forms = {"+": "{}...", "*": "[{}]...", "?": "[{}]"}
    return forms.get(str(action.nargs), "{}").format(value(action))


def page() -> str:
    """Return the page of all commands."""
    program, named = commands()
    return "\n".join([PREFACE, *map(section, [program, *named])])


def section(command: Command) -> str:
    rows = [f"| `{argument.form}` | {escaped(argument.meaning)} |" for argument in command.arguments]
    lines = [
        f"## {title(command)}",
        "",
        escaped(command.description),
        "",
        f"    {command.usage}",
        "",
        "| argument or option | meaning |",
        "|---|---|",
        *rows,
    ]
    return "\n".join([*lines, ""])


def title(command: Command, separator: str = " ") -> str:
    return f"detpyc{separator}{command.name}" if command.name else "detpyc"


def escaped(text: str) -> str:
    """Return a string for Markdown, with what it would interpret escaped."""
    return "".join(f"\\{char}" if char in r"\`*_[]<>|" else char for char in text)


def manual(command: Command, others: Iterable[Command]) -> str:
    """Return the manual page of a command, which refers to others."""
    name = title(command, "-")
    listed = [] if command.name else [".SH COMMANDS", *entries((other.name, other.summary) for other in others)]
    related = ", ".join(rf"\fB{roff(title(other, '-'))}\fR(1)" for other in others)
    lines = [
        f'.TH {roff(name.upper())} 1 "" "detpyc {__version__}" "User Commands"',
        ".SH NAME",
        rf"{roff(name)} \- {roff(command.summary)}",
        ".SH SYNOPSIS",
        roff(command.usage),
        ".SH DESCRIPTION",
        roff(command.description),
        *listed,
        ".SH OPTIONS",
        *entries(command.arguments),
        ".SH EXIT STATUS",
        *entries(STATUSES.items()),
        ".SH SEE ALSO",
        related,
    ]
    return "\n".join([*lines, ""])


def entries(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return a list of terms with their meanings."""
    return [line for term, text in pairs for line in (".TP", rf"\fB{roff(term)}\fR", roff(text))]


def roff(text: str) -> str:
    """Return a string as a line of roff, with what it would interpret escaped."""
    line = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga")
    return rf"\&{line}" if line.startswith(".") else line


def script(shell: str) -> str:
    """Return a completion script."""
    output = StringIO()
    with redirect_stdout(output):
        main(["completion", shell])
    return output.getvalue()


def pages() -> dict[Path, str]:
    """Return the content of the page and the manual pages, which only the parser determines."""
    program, named = commands()
    manuals = {MANUALS / "detpyc.1": manual(program, named)}
    manuals |= {MANUALS / f"{title(command, '-')}.1": manual(command, [program]) for command in named}
    return {PAGE: page(), **manuals}


def expected() -> dict[Path, str]:
    """Return the content of every file; that of the scripts depends on the version of shtab."""
    return {**pages(), **{path: script(shell) for shell, path in SCRIPTS.items()}}


def write() -> None:
    """Write every file."""
    files = expected()
    shutil.rmtree(SHARED, ignore_errors=True)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write()
