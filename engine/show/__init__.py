"""show: pictures and pages made of what a run left."""
