"""Runtime: starts a run, executes its steps unit by unit, and resumes it."""
