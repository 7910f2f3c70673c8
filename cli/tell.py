"""Tell: what commands print when they are done, for people or as JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..engine.describe import Description, Status
    from ..engine.opened import Run


def print_result(run: Run, *, as_json: bool) -> int:
    """Where things are, and the exit status: 3 where slides were rejected or tiles quarantined."""
    rejected, quarantined = run.rejected, run.quarantined
    status = 3 if rejected or quarantined else 0
    if as_json:
        _json({"event": "result", "out": str(run.out), "status": run.status, "rejected": rejected, "exit": status})
        return status
    if run.report.exists() and run.status == "done":
        print(f"maps:   {run.out / 'maps'}")
        print(f"report: {run.report}")
    else:
        print(f"done so far: {run.out}")
    if rejected:
        print(f"{len(rejected)} slides were rejected: {run.out / 'rejected.json'}", file=sys.stderr)
    if quarantined:
        print(f"tiles of {len(quarantined)} slides were quarantined: {run.out / 'quarantined.json'}", file=sys.stderr)
    return status


def print_plan(plan: tuple[Path, Any, Any], *, as_json: bool) -> int:
    out, opened, sizes = plan
    status = 3 if opened.rejected else 0
    if as_json:
        rejected = {s: dataclasses.asdict(r) for s, r in opened.rejected.items()}
        _json({"event": "plan", "out": str(out), **sizes.facts(), "rejected": rejected})
        return status
    print(f"results: {out} (nothing is written now)")
    print(sizes.text())
    print("units: " + ", ".join(f"{stage} {count}" for stage, count in sizes.units.items()))
    for record in opened.slides.values():
        um = record.spacing[0]
        print(f"  {record.name}: {record.shape[1]} x {record.shape[0]} at {um:g} um, by {record.reader}")
    for rejection in opened.rejected.values():
        print(f"  rejected {rejection.name} [{rejection.code}]: {rejection.message}")
    return status


def print_description(found: Description, *, as_json: bool) -> int:
    if as_json:
        _json(dataclasses.asdict(found))
    else:
        for name, value in found.facts:
            print(f"{name + ':':<12}{value}")
        for level in found.levels:
            print(f"  level {level}")
        for note in found.notes:
            print(f"note: {note}")
        for code, text in found.problems:
            print(f"problem [{code}]: {text}")
    return 3 if found.problems else 0


def print_status(found: Status, *, as_json: bool) -> int:
    if as_json:
        _json(dataclasses.asdict(found))
        return 0
    print(f"{found.out}: {found.state}")
    if found.owner:
        print(f"owner: {found.owner}")
    for step in found.steps:
        left = f"{step.done}/{step.total}" if step.total else ""
        print(f"  {step.title:<20} {step.state:<9} {left:<12} {step.wall:8.1f} s")
    for name, code, message in found.rejected:
        print(f"rejected {name} [{code}]: {message}")
    return 0


def _json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, default=str) + "\n")
