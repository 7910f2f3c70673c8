"""Packages by rule: this folder is `tile_engine`; each package below cli/, engine/, models/ and stores/ is a part of it."""

from setuptools import find_packages, setup

FOUND = find_packages(include=["cli*", "engine*", "models*", "stores*"])
# script_name: a build would otherwise take this file for a module of tile_engine
setup(script_name="setup.py", packages=["tile_engine", *(f"tile_engine.{name}" for name in FOUND)])
