"""The server: schemas, auth and limits around one call into the safe scheduler.

Importing it imports neither JAX nor SciPy: the warm-up thread (`service.py`) loads them, so that `/livez`
answers meanwhile.
"""
