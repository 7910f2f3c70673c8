"""The contract between runs and the runtime: records, units, steps, jobs, settings, fingerprints."""
