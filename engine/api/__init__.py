"""The Python API, which the command line calls as well: functions that start or resume a run, and `Run`, its results."""
