"""The limits on what is read from untrusted files: one table, which docs/security.md explains.

The limits of payloads are in `detpyc.bytecode` and `detpyc.explain`, because the worker does not load this module:

- ``marshal_format.MAX_DEPTH``: 2,000 levels, as in CPython; a payload that nests deeper is malformed.
- ``marshal_format.MAX_OBJECTS``: 1,048,576 objects and references, a container
  counting as four; a payload that has more is malformed.
- ``canonical._MAX_SETS``: 16 MiB of elements of sets, references written in full; likewise.
- ``payloads.MAX_OBJECTS``: 131,072 objects; larger payloads are compared as a whole, by their canonical form.
- ``payloads.MAX_STEPS``: 2,097,152 bytes of tables decoded and items compared; the rest is compared as bytes.
- ``payloads.MAX_OF_ASPECT``: 1,000 differences of each aspect are reported.
"""

from __future__ import annotations

MAX_FILE = 64 << 20  # bytes of a pyc or a source; the largest real ones have a few megabytes

MAX_ITEMS = 1000  # of a list among the settings, wherever they come from
MAX_PATTERN = 1000  # characters of a gitignore pattern
MAX_MISTAKES = 20  # in the settings, that one error reports
MAX_SHOWN = 100  # characters of a value in a message

MAX_PYPROJECT = 1 << 20  # bytes of a pyproject.toml; the largest real ones have a tenth of that

MAX_PATH = 4096  # characters of a member's path; PATH_MAX of Linux
MAX_DEPTH = 100  # parts of a member's path; the deepest real ones have about 20

MAX_SDIST = 1 << 29  # bytes of a source distribution, decompressed; the largest real ones have half of that
MAX_SDIST_MEMBERS = 100_000  # headers in a source distribution; the largest real ones have some ten thousand
MAX_SDIST_HEADERS = 16 << 20  # bytes of its extended headers in all; a real member has some hundred

MAX_PROGRAM = 1 << 20  # bytes before the archive in a zipapp; those of a PEX are a shell script of some kilobytes
MAX_ENTRIES = 1 << 19  # of a tar file or an image; large images have half of that
MAX_TAR = 1 << 34  # bytes of a ZIP or tar file or an image, decompressed; large images have half of that
MAX_TAR_HEADERS = 64 << 20  # bytes of the extended headers of a tar file or a layer
MAX_CONTENTS = 1 << 31  # bytes of sources and pycs in compressed tar files, which are kept in a temporary file
MAX_XZ_MEMORY = 128 << 20  # bytes that decompressing may need; xz -9 needs half of that
MAX_LAYERS = 1000  # of an image; Docker makes at most 127
MAX_IMAGES = 100  # in an archive, for different platforms
MAX_MANIFEST = 4 << 20  # bytes of a JSON document of an image; what registries accept

MAX_DIRECTORIES = 1 << 18  # in a tree that is verified; a large container image has a tenth of that
MAX_PYCS = 1 << 19  # in a tree that is verified, likewise
MAX_PATH_FILE = 1 << 18  # bytes of a .pth file; those of large development installations have some kilobytes

MAX_INSTALLED = 32  # releases of one version that a verification has uv install; no version has had as many

MAX_MESSAGE = 500  # characters of a reason or a problem; names and messages of the compiler can be as long as a file
MAX_PROBLEMS = 100  # of a wheel or a tree that are reported

MAX_TEXT = 4 << 20  # bytes of a text file that is compared line by line; larger ones are compared byte by byte
MAX_DIFF_STEPS = 1 << 24  # pairs of lines that one comparison compares; a text file may take half of what is left
MAX_DIFF_LINES = 500  # of the diff of a text file

MAX_REQUEST = 64 << 20  # bytes of a request to the persistent worker; one that lists 100,000 inputs has 20 MB

MAX_LIST = 64 << 20  # bytes of a list of artifacts or a page of an index; a lock file of a thousand packages has some
MAX_ARTIFACT = 4 << 30  # bytes of an artifact that a batch fetches; the largest real ones have a quarter of that

MAX_MEMBERS = 1 << 17  # of a ZIP file; the largest real wheels have some ten thousand
MAX_ARCHIVE_DIRECTORY = 32 << 20  # bytes of the directory of a ZIP file: 256 for each member
MAX_RECORD = 16 << 20  # bytes of RECORD: 128 for each member
MAX_ROWS = 1 << 18  # of RECORD: a signature and directories may have some as well
MAX_PROVENANCE = 8 << 20  # bytes of detpyc.json; it is small unless sources are skipped
MAX_METADATA = 8 << 20  # bytes of METADATA, and of WHEEL; the largest descriptions have some hundred kilobytes
