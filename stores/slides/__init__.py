"""slides: readers of microscope slides, their spacing, the view at a run's spacing, and the cohort."""
