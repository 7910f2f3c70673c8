"""Runtime: how a run starts, goes through its steps unit by unit, and resumes."""
