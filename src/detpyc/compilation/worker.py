"""Byte-compile sources for detpyc, in the interpreter that runs this file.

Run as ``INTERPRETER -I -S -B worker.py``. It needs nothing installed there: it loads ``detpyc.errors`` and
``detpyc.bytecode`` from beside itself, and imports nothing else but the standard library. Python 3.8 syntax.

It reads requests from standard input and writes replies to standard output, as frames: lists of byte strings. The
first frame describes the interpreter (`describe`). Then there is one reply for each request:

    request:  path in the distribution (UTF-8), optimization levels (one byte each), source; optionally, for each level
              the existing pyc or nothing, whose magic number, mode and times the parent has checked
    replies:  COMPILED, source hash, one canonical payload for each level; empty if the existing pyc is up to date
              REFUSED, the name of the exception, its message: the source does not compile, here or anywhere
              EXHAUSTED, the same: it takes more memory or stack than there is, which depends on the machine
              UNFAITHFUL, what is wrong: the payload is too large, or does not load as the code that was compiled

It ends at the end of standard input. The source is compiled, never executed.
"""

from __future__ import annotations

import marshal
import os
import sys
import warnings
from _frozen_importlib_external import MAGIC_NUMBER  # importlib.util, and signal, would double the time to start
from struct import Struct

TYPE_CHECKING = False  # the typing module would slow the start
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import IO

COMPILED = b"compiled"
REFUSED = b"refused"
EXHAUSTED = b"exhausted"
UNFAITHFUL = b"unfaithful"

MEMORY_LIMIT = 4 << 30  # bytes of address space; the largest real sources take some hundred megabytes
MAX_PYC = 64 << 20  # bytes; as `detpyc.limits.MAX_FILE`, beyond which no command would read it

_U32 = Struct("<I")


def write_frame(stream: IO[bytes], fields: list[bytes]) -> None:
    """Write a frame: the number of its fields, then the size and content of each."""
    parts = [_U32.pack(len(fields))]
    for field in fields:
        parts += (_U32.pack(len(field)), field)
    stream.write(b"".join(parts))
    stream.flush()


def read_frame(stream: IO[bytes]) -> list[bytes] | None:
    """Read a frame; None at the end of the stream.

    Raises:
        EOFError: if the stream ends within the frame.

    """
    count = stream.read(_U32.size)
    if not count:
        return None
    return [_read_exactly(stream, _read_u32(stream)) for _ in range(_U32.unpack(count)[0])]


def _read_u32(stream: IO[bytes]) -> int:
    value: int = _U32.unpack(_read_exactly(stream, _U32.size))[0]
    return value


def _read_exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def describe() -> list[bytes]:
    """Describe this interpreter: implementation, release, cache tag, magic number (two bytes); then its build."""
    release = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info.releaselevel != "final":
        release += sys.version_info.releaselevel[0] + str(sys.version_info.serial)
    names = (sys.implementation.name, release, sys.implementation.cache_tag or "")
    return [*(name.encode() for name in names), MAGIC_NUMBER[:2], *describe_build()]


def describe_build() -> list[bytes]:
    """Describe what the compiled code depends on besides the release.

    Returns:
        A description of the build, the system and its arithmetic, then one of each file that contains the compiler or
        the functions with which it folds constants. Empty if a file is not there any more.

    """
    system = [sys.platform, sys.version, getattr(sys, "abiflags", "")]
    if sys.platform == "win32":
        system.append(str(sys.getwindowsversion()[:3]))
    else:
        uname = os.uname()
        # Elsewhere, the system's own library is not a file.
        system += [uname.machine] if sys.platform == "linux" else [uname.machine, uname.release]
    # Which functions the C library takes depends on the processor, and may change the last bit of a power.
    powers = [base**exponent for base in (0.3, 1.7, 12.25) for exponent in (0.1, -2.3, 7.7, 33.3)]
    infinity = float("inf")
    system.append(marshal.dumps((*powers, infinity - infinity)).hex())
    try:
        files = [describe_file(path) for path in sorted(build_files())]
    except OSError:  # e.g. it was replaced while this process runs
        return []
    return ["\n".join(system).encode("utf-8", "surrogateescape"), *files]


def describe_file(path: str) -> bytes:
    """Describe a file: size, times, inode, path."""
    status = os.stat(path)
    numbers = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return b" ".join([*(str(number).encode() for number in numbers), os.fsencode(path)])


def build_files() -> set[str]:
    """Return the paths of the executable, and of the libraries of Python and of mathematical functions."""
    paths = {os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)}
    try:
        with open("/proc/self/maps", "rb") as maps:
            mapped = {os.fsdecode(line[line.find(b"/") :].rstrip(b"\n")) for line in maps if b"/" in line}
    except OSError:
        name = "python{}{}".format(*sys.version_info[:2])
        versioned = "libpython{}.{}.dylib".format(*sys.version_info[:2])
        places = ("Python", os.path.join("lib", versioned), "{}.dll".format(name))
        mapped = {os.path.join(prefix, place) for prefix in (sys.base_prefix, sys.exec_prefix) for place in places}
        return paths | {path for path in mapped if os.path.isfile(path)}
    # The executable too: a wrapper may have started it under another name.
    names = ("python", "libpython", "libm.", "libm-", "ld-musl")
    return paths | {path for path in mapped if os.path.basename(path).startswith(names)}


def compile_source(path: str, levels: bytes, source: bytes, *pycs: bytes) -> list[bytes]:
    """Return the reply to a request."""
    from detpyc.bytecode.header import source_hash

    digest = source_hash(source, int.from_bytes(MAGIC_NUMBER[:2], "little"))
    payloads = []
    try:
        for index, level in enumerate(levels):
            if pycs and is_current(pycs[index], digest, path):
                payloads.append(b"")
                continue
            kind, *fields = compile_level(path, level, source)
            if kind != COMPILED:
                return [kind, *fields]
            payloads += fields
    except (RecursionError, MemoryError) as error:
        return error_reply(EXHAUSTED, error)
    return [COMPILED, digest, *payloads]


def compile_level(path: str, level: int, source: bytes) -> list[bytes]:
    """Return COMPILED and the canonical payload for one optimization level, or the reply for an error."""
    from detpyc.bytecode.canonical import canonicalize
    from detpyc.bytecode.header import HEADER_SIZE
    from detpyc.errors import BytecodeError

    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=level)
    except SyntaxError as error:
        place = "" if error.lineno is None else f"line {error.lineno}: "
        return error_reply(REFUSED, error, f"{place}{error.msg}")
    except (ValueError, OverflowError) as error:
        return error_reply(REFUSED, error)
    try:
        payload = canonicalize(marshal.dumps(code), sys.version_info[:2])
        faithful = loads_as(code, payload, canonicalize)
    except (BytecodeError, ValueError, EOFError, TypeError) as error:
        return [UNFAITHFUL, f"{type(error).__name__}: {error}".encode("utf-8", "replace")]
    size = HEADER_SIZE + len(payload)
    if size > MAX_PYC:
        return [UNFAITHFUL, "its bytecode has {} bytes; the limit is {}".format(size, MAX_PYC).encode()]
    if not faithful:
        return [UNFAITHFUL, b"the canonical payload does not load as the code that was compiled"]
    return [COMPILED, payload]


def error_reply(kind: bytes, error: Exception, message: str | None = None) -> list[bytes]:
    """Return the reply for an exception."""
    text = str(error) if message is None else message
    return [kind, type(error).__name__.encode(), text.encode("utf-8", "replace")]


def is_current(pyc: bytes, source_hash: bytes, path: str) -> bool:
    """Return whether an existing pyc is what would be written."""
    from detpyc.bytecode.canonical import is_canonical
    from detpyc.bytecode.header import HEADER_SIZE, PycHeader

    if not pyc:
        return False
    if PycHeader.parse(pyc).source_hash not in (None, source_hash):
        return False
    return is_canonical(pyc[HEADER_SIZE:], sys.version_info[:2], path)


def loads_as(code: CodeType, payload: bytes, canonicalize: Callable[[bytes, tuple[int, int]], bytes]) -> bool:
    """Return whether a payload loads as the same code, in all fields.

    Code objects with different line tables and file names compare equal. So compare their encodings in version 2 of the
    format, which has no references and depends on the values alone. Slices, which it cannot encode, and sets, whose
    order may differ before 3.11, are compared in canonical form.
    """
    loaded = marshal.loads(payload)
    try:
        if marshal.dumps(loaded, 2) == marshal.dumps(code, 2):
            return True
    except ValueError:
        pass
    return canonicalize(marshal.dumps(loaded), sys.version_info[:2]) == payload


def adopt_package() -> None:
    """Make ``detpyc.errors`` and ``detpyc.bytecode`` importable, and nothing else in the directory of the package."""
    package = type(sys)("detpyc")
    package.__path__ = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    sys.modules["detpyc"] = package


def ignore_interrupts() -> None:
    """Ignore Ctrl-C and Ctrl-Break where they go to all processes of a console: the parent decides what ends.

    Except on Windows, a worker leads a session of its own, which a terminal does not interrupt.
    """
    if sys.platform == "win32":
        import signal

        for number in (signal.SIGINT, signal.SIGBREAK):
            signal.signal(number, signal.SIG_IGN)


def limit_memory() -> None:
    """Limit the memory that compiling a source can take, where the system can do that.

    Nor is it dumped to a file, if compiling overflows the stack.
    """
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = min([MEMORY_LIMIT, *(value for value in (soft, hard) if value != resource.RLIM_INFINITY)])
        try:
            resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
        except (ValueError, OSError):  # macOS does not always let it be lowered
            return


def main() -> None:
    """Reply to requests until standard input ends."""
    ignore_interrupts()
    limit_memory()
    warnings.simplefilter("ignore")  # the compiler's warnings are for the source's author, at another time
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else writes to standard output must not end up among the frames
    write_frame(replies, describe())
    request = read_frame(requests)
    if request is None:
        return
    adopt_package()
    while request is not None:
        path, levels, source, *pycs = request
        write_frame(replies, compile_source(path.decode("utf-8", "surrogatepass"), levels, source, *pycs))
        request = read_frame(requests)


if __name__ == "__main__":
    main()
