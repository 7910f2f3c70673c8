"""View: results of runs on a local page: slides, volumes and films, with their clusters and maps over them."""
