"""Reference services of the OptiInfra platform, one entry point each (see main.py)."""

__version__ = "0.1.0"
