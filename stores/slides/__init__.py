"""slides: microscope slides in, whatever holds them. Opening, spacing, the view at a run's spacing, and the cohort."""
