"""A build backend that prints the settings it receives."""

from types import SimpleNamespace

from flit_core import buildapi


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    print("settings of build_wheel:", sorted((config_settings or {}).items()))
    return buildapi.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    print("settings of build_sdist:", sorted((config_settings or {}).items()))
    return buildapi.build_sdist(sdist_directory, config_settings)


hooks = SimpleNamespace(build_wheel=build_wheel, build_sdist=build_sdist)
