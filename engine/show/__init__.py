"""show: pictures and pages made from the results of a run."""
