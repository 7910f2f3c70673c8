"""What Python and the command line call: commands that start or resume a run, and `Run`, what a run left."""
