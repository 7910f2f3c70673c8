"""sample: patches inside tissue, drawn at random and balanced over images and subjects."""
