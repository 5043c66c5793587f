"""Build backends to wrap, good ones and bad ones. The good ones copy files of the project."""

# ruff: noqa: ANN001, ANN204, ANN205, ARG004 - frontends call a hook with all its arguments, whoever uses them

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from detpyc import backend as detpyc_backend

WHEEL, SDIST = "demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz"


class Bare:
    """Has only the mandatory hooks of PEP 517."""

    @staticmethod
    def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
        print("called:", json.dumps(["build_wheel", config_settings, metadata_directory]))  # noqa: T201
        shutil.copy(WHEEL, wheel_directory)
        return WHEEL

    @staticmethod
    def build_sdist(sdist_directory, config_settings=None):
        print("called:", json.dumps(["build_sdist", config_settings]))  # noqa: T201
        Path(sdist_directory, SDIST).touch()
        return SDIST


class Whole(Bare):
    """Has all hooks."""

    @staticmethod
    def get_requires_for_build_wheel(config_settings=None):
        return ["wheel-requirement", json.dumps(config_settings)]

    @staticmethod
    def get_requires_for_build_sdist(config_settings=None):
        return ["sdist-requirement", json.dumps(config_settings)]

    @staticmethod
    def get_requires_for_build_editable(config_settings=None):
        return ["editable-requirement", json.dumps(config_settings)]

    @staticmethod
    def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
        Path(metadata_directory, "demo-1.0.dist-info").mkdir()
        return "demo-1.0.dist-info"

    @staticmethod
    def prepare_metadata_for_build_editable(metadata_directory, config_settings=None):
        Path(metadata_directory, "demo-1.0.dist-info").mkdir()
        return "demo-1.0.dist-info"

    @staticmethod
    def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
        shutil.copy(WHEEL, wheel_directory)
        return WHEEL


class Failing(Bare):
    @staticmethod
    def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
        shutil.copy(WHEEL, wheel_directory)
        raise ValueError("no luck")

    @staticmethod
    def build_sdist(sdist_directory, config_settings=None):
        raise ValueError("no luck either")


class Exiting(Bare):
    @staticmethod
    def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
        sys.exit("no luck")


class UnsupportedOperation(Exception):  # noqa: N818 - PEP 517's name
    pass


class Unable(Bare):
    UnsupportedOperation = UnsupportedOperation

    @staticmethod
    def build_sdist(sdist_directory, config_settings=None):
        raise UnsupportedOperation("no sources here")


def returning(result: object) -> type[Bare]:
    """Make a backend that copies the wheel into the directory, into one below and into one above, and returns this."""

    class Returning(Bare):
        @staticmethod
        def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
            for place in (Path(wheel_directory), Path(wheel_directory, "below")):
                place.mkdir(exist_ok=True)
                shutil.copy(WHEEL, place)
            return result

    return Returning


class Unprintable(Exception):  # noqa: N818 - a name for the message
    def __str__(self):
        raise ValueError("no string")

    __repr__ = __str__


Nothing = returning(None)
Object = returning(Unprintable())
Empty = returning("")
Dot = returning(".")
Null = returning(f"{WHEEL}\0")
Below = returning(f"below/{WHEEL}")
Above = returning(f"../../{WHEEL}")
Surrogate = returning("\udc80.whl")
Missing = returning("demo-2.0-py3-none-any.whl")


class Mute(Bare):
    """Fails without a message."""

    @staticmethod
    def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
        raise Unprintable


class Guarded:
    """Fails for every attribute."""

    def __getattr__(self, name):
        raise ValueError("no attributes")


guarded = Guarded()


class Odd(Bare):
    """Names something as its UnsupportedOperation that is not an exception."""

    UnsupportedOperation = 42
    build_sdist = 42  # type: ignore[assignment]

    @staticmethod
    def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
        raise ValueError("no luck")


class Broken(Bare):
    @staticmethod
    def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
        Path(wheel_directory, WHEEL).write_bytes(b"not a wheel")
        return WHEEL


class Terminated(Bare):
    @staticmethod
    def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
        shutil.copy(WHEEL, wheel_directory)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)


class Without:
    """Has no hooks."""


class Same:
    build_wheel = staticmethod(detpyc_backend.build_wheel)


class Again(Bare):
    """Calls the backend that wraps it."""

    @staticmethod
    def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
        return detpyc_backend.build_wheel(wheel_directory, config_settings, metadata_directory)

    @staticmethod
    def build_sdist(sdist_directory, config_settings=None):
        return detpyc_backend.build_sdist(sdist_directory, config_settings)
