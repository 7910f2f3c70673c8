"""volumes: images with three axes in, whatever holds them. Opening, orientation, DICOM series, and the cohort."""
