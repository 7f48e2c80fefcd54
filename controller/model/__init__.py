"""The words of the domain as frozen values. Pure: imports nothing else of this package."""
