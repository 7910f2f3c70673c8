"""engine: plans and runs. The only room that knows both stores and models, and the only one that knows dask."""

import os

# Threads that wait for each other must sleep and not spin: beside another busy process, spinning made a training step
# fifteen times slower. libgomp reads this once, when torch is first imported, hence here.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
