"""Images: slides and volumes are found, opened and recorded before a run begins."""
