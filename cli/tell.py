"""Tell: prints the results of commands, as text or as JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..stores.shown import shown
from .say import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..engine.api.run import Run
    from ..engine.api.stain_runs import StainRuns
    from ..engine.maintenance.describe import Description
    from ..engine.maintenance.doctor import Check
    from ..engine.maintenance.every_run import Failure
    from ..engine.maintenance.repair import Repair
    from ..engine.maintenance.status import Status
    from ..engine.maintenance.verify import Finding, Verdict


def print_result(run: Run | StainRuns, *, as_json: bool) -> int:
    """Print the paths of the results; returns the exit status: 3 where slides were rejected or tiles quarantined.

    Of several runs, each is printed, and the worst status is returned. Images that were left out before the command are none
    of its doing."""
    from ..engine.api.stain_runs import StainRuns
    from ..stores.remote import ObjectPath

    if isinstance(run, StainRuns):
        status = max((print_result(one, as_json=as_json) for one in run.runs.values()), default=0)
        if as_json:
            print_json({"event": "result", "out": str(run.out), "status": run.status, "exit": status})
        else:
            say(f"report of all stains: {run.report}")
        return status
    before = run.left_out_before
    rejected = {image: why for image, why in run.rejected.items() if image not in before}
    quarantined = {image: tiles for image, tiles in run.quarantined.items() if image not in before}
    status = 3 if rejected or quarantined else 0
    if as_json:
        left_out = {"rejected": rejected, "quarantined": quarantined}
        match = {"match": found} if (found := match_of(run)) else {}
        print_json({"event": "result", "out": str(run.out), "status": run.status, **left_out, **match, "exit": status})
        return status
    if run.report.exists() and run.status == "done":
        say(f"maps:   {run.out / 'maps'}")
        say(f"report: {run.report}")
        if not isinstance(run.out, ObjectPath):
            say(f"look at it: {command_name()} view {shlex.quote(str(run.out))}")
        print_match(run)
    else:
        say(f"done so far: {run.out}")
    if rejected:
        say(f"{len(rejected)} {run.of} were rejected: {run.out / 'rejected.json'}", error=True)
    if quarantined:
        say(f"tiles of {len(quarantined)} {run.of} were quarantined: {run.out / 'quarantined.json'}", error=True)
    return status


def print_clusters(run: Run) -> None:
    """Print the clusters that a run shows: number, name, and share of all tiles."""
    path = run.out / "clusters.csv"
    if not path.exists():
        return
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    say(f"clusters: {len(rows)}")
    for row in rows:
        merged = f", merged into {row['into']}" if row["into"] else ""
        say(f"  {row['cluster']:>3}  {float(row['share']):6.1%}  {shown(row['name'])}{merged}")


def command_name() -> str:
    """`tile-engine`, by its path where a shell would not find it: `make` does not activate the environment."""
    path = str(Path(sys.executable).with_name("tile-engine"))
    return "tile-engine" if shutil.which("tile-engine") else shlex.quote(path)


def match_of(run: Run) -> dict[str, Any] | None:
    """models/comparison.json of a run whose clusters were matched to those of an old run."""
    return run.document("comparison") if (run.out / "models" / "comparison.json").exists() else None


def print_match(run: Run) -> None:
    """Print which of the shown clusters have the numbers of an old run, if they were matched to one."""
    found = match_of(run)
    if found is None:
        return
    say(
        f"match:  {found['run']}, by {found['tiles']:,} tiles of {len(found['slides'])} {run.of}; at {found['level']} clusters "
        f"{found['same']:.0%} of them have the same number in both"
    )
    for cluster in found["clusters"]:
        shares = "no counterpart, a number that the old run does not show"
        if cluster["share"] is not None:
            shares = f"{cluster['share']:.0%} of its tiles, {cluster['other_share']:.0%} of the old cluster's"
        say(f"  {cluster['number']:>3}  {cluster['name']}: {shares}")
    for words, key in (
        ("not found again", "missing"),
        ("not on these images, so not compared", "unseen"),
        (f"{run.of} of the same name with another size or content, not compared", "others"),
    ):
        if found[key]:
            say(f"  {words}: {', '.join(found[key])}")


def print_plan(plan: tuple[Path, Any, Any], script: str, *, as_json: bool) -> int:
    """Print the plan of a run, and the cluster job that it would submit, if any."""
    from ..engine.pipeline.messages import note_messages, rejection_messages

    out, inspected, sizes = plan
    status = 3 if inspected.rejected else 0
    if as_json:
        rejected = {s: dataclasses.asdict(r) for s, r in inspected.rejected.items()}
        lists = {"notes": inspected.notes, "warnings": inspected.warnings}
        print_json({"event": "plan", "out": str(out), **sizes.facts(), **lists, "rejected": rejected, "job": script})
        return status
    say(f"results: {out} (this is a plan: nothing is written)")
    say(sizes.text())
    say("units: " + ", ".join(f"{stage} {count}" for stage, count in sizes.units.items()))
    for note in inspected.notes:
        say(note)
    for warning in inspected.warnings:
        say(f"warning: {warning}")
    for record in inspected.slides.values():
        size = f"{' x '.join(map(str, record.shape[::-1]))} at {record.spacing[0]:g} um"
        is_volume = len(record.shape) == 3 and not record.films
        say(f"  {record.name}: {record.frame.text if is_volume else size}, by {record.reader}")
    for message in note_messages(inspected.slides.values()):
        say(f"warning: {message.text}")
    for message in rejection_messages(inspected.rejected.values()):
        say(f"  rejected {message.images} [{message.code}]: {message.reason}")
    if script:
        say("job that would be submitted:")
        for line in script.splitlines():
            say(line)
    return status


def print_description(description: Description, *, as_json: bool) -> int:
    if as_json:
        print_json(dataclasses.asdict(description))
    else:
        for name, value in description.facts:
            say(f"{name + ':':<12}{value}")
        for level in description.levels:
            say(f"  level {level}")
        for image in description.images:
            say(f"  {image}")
        for note in description.notes:
            say(f"note: {note}")
        for code, text in description.problems:
            say(f"problem [{code}]: {text}")
    return 3 if description.problems else 0


def print_status(status: Status, *, as_json: bool) -> int:
    if as_json:
        print_json(dataclasses.asdict(status))
        return 0
    goes_on = "; the same command goes on" if status.state == "stopped" else ""
    say(f"{status.out}: {status.state}{goes_on}")
    if status.owner:
        say(f"owner: {status.owner}")
    for step in status.steps:
        progress = step.inside or (f"{step.done}/{step.total}" if step.total else "")
        wall = f"{step.wall:8.1f} s" if step.state != "waiting" else ""
        say(f"  {step.title:<20} {step.state:<9} {progress:<12} {wall}".rstrip())
    for name, code, message in status.rejected:
        say(f"rejected {name} [{code}]: {message}")
    for name, text in status.lost:
        say(f"lost {name}: {text}")
    return 0


def print_finding(finding: Finding, *, as_json: bool) -> None:
    """Print one damaged file, on one line."""
    if as_json:
        fields = dataclasses.asdict(finding) | {"array": finding.array, "shard": finding.shard}
        print_json({"event": "finding", **fields})
        return
    of = " ".join(part for part in (finding.array, finding.shard and f"shard {finding.shard}") if part)
    slide = f" of slide {finding.slide}" if finding.slide else ""
    say(f"{finding.kind:<12} {of}{slide} (step {finding.step}, unit {finding.unit}): {finding.text}")


def print_verdicts(verdicts: Iterator[Verdict | Failure], *, as_json: bool) -> int:
    """Print the result of each verification as it is made; returns the worst exit status."""
    return max(print_verdict(one, as_json=as_json) for one in verdicts)


def print_failure(failure: Failure, *, as_json: bool) -> int:
    """Print why one of several runs was not looked at; returns its exit status."""
    if as_json:
        print_json({"event": "result", **dataclasses.asdict(failure), "exit": failure.exit_status})
    else:
        say(f"{failure.out}: [{failure.code}] {failure.message}", error=bool(failure.exit_status))
    return failure.exit_status


def print_verdict(verdict: Verdict | Failure, *, as_json: bool) -> int:
    """Print the result of a verification; returns the exit status: 7 where a file is damaged."""
    from ..engine.maintenance.every_run import Failure

    if isinstance(verdict, Failure):
        return print_failure(verdict, as_json=as_json)
    status = 7 if verdict.findings else 0
    if as_json:
        print_json(
            {"event": "result", **dataclasses.asdict(verdict), "findings": len(verdict.findings), "exit": status}
        )
        return status
    if verdict.owner:
        say(f"note: {verdict.owner} holds the lock; units that it has not finished were not checked")
    if verdict.leftovers:
        say(f"note: {verdict.leftovers} half-written files of a killed run; the next run removes them")
    damaged = (
        f"{len(verdict.findings)} damaged: `tile-engine repair {shlex.quote(verdict.out)}`" if status else "all sound"
    )
    say(f"{verdict.out}: {verdict.files} files of {verdict.units} units: {damaged}")
    return status


def print_repairs(repairs: Iterator[Repair | Failure], *, as_json: bool) -> int:
    """Print the result of each repair as it is made; returns the worst exit status."""
    from ..engine.maintenance.every_run import Failure

    return max(
        print_failure(one, as_json=as_json) if isinstance(one, Failure) else print_repair(one, as_json=as_json)
        for one in repairs
    )


def print_repair(repair: Repair, *, as_json: bool) -> int:
    """Print the result of a repair; returns the exit status: 7 where damage or changed bytes remain."""
    status = 7 if repair.left or repair.other else 0
    if as_json:
        print_json({"event": "result", **dataclasses.asdict(repair), "exit": status})
        return status
    say(f"{repair.out}: {len(repair.found)} files were damaged, {repair.units} units were repeated")
    for finding in repair.left:
        print_finding(finding, as_json=False)
    for path in repair.other:
        say(
            f"changed      {path}: it is valid, but differs from the original; results made from the original stay as they are"
        )
    return status


def print_json(value: Any) -> None:
    """Print a value as one line of JSON, which a program that reads a pipe gets at once."""
    sys.stdout.write(json.dumps(value, default=str) + "\n")
    sys.stdout.flush()


def print_checks(checks: Iterator[Check], *, as_json: bool) -> int:
    """Print each check as it is made; returns the exit status: 5 where one is a problem."""
    status = 0
    for check in checks:
        status = 5 if check.state == "problem" else status
        if as_json:
            print_json(dataclasses.asdict(check))
        else:
            say(f"{check.state:<8} {check.name}: {check.text}")
    return status
