"""volumes: readers of images with three axes, their orientation, DICOM series, and the cohort."""
