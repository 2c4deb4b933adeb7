"""青鸟 Qingniao: a customer-service system that companies run themselves."""

__all__ = ["__version__"]

__version__ = "0.1.0"
