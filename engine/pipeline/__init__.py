"""The interface between pipelines and the runtime: records, units, steps, jobs, settings, fingerprints."""
