"""Packages by rule: this folder is `tile_engine`, and every package below its rooms is a part of it."""

from setuptools import find_packages, setup

FOUND = find_packages(include=["cli*", "engine*", "models*", "stores*"])
setup(packages=["tile_engine", *(f"tile_engine.{name}" for name in FOUND)])
