"""Films: radiographs from DICOM, pictures and array sets, as grey values between 0 and 1, and their preparation."""
